// node --require ./loopback.cjs: every server listens on 127.0.0.1 only.
const { Server } = require('net');
const listen = Server.prototype.listen;
Server.prototype.listen = function (...given) {
  if (/^\d+$/.test(String(given[0]))) {
    return listen.call(this, { port: Number(given[0]), host: '127.0.0.1' }, given.find((one) => typeof one === 'function'));
  }
  if (given[0] && typeof given[0] === 'object' && 'port' in given[0]) given[0].host = '127.0.0.1';
  return listen.apply(this, given);
};

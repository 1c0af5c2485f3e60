// The timeline: pan and zoom at the speed of the hand; Python decides what stands on it.
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Link } from "react-router";
import { When } from "$/public/ui/pieces.jsx";

const MINUTE = 60e3, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const SHORTEST = 5 * MINUTE, LONGEST = 400 * DAY;
const STEPS = [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY];

const clampWindow = ([from, to]) => {
  const length = Math.min(Math.max(to - from, SHORTEST), LONGEST);
  const middle = (from + to) / 2;
  return [Math.round(middle - length / 2), Math.round(middle + length / 2)];
};
const DAY_TEXT = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const TIME_TEXT = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

function ticks(from, to, width) {
  const step = STEPS.find((s) => (to - from) / s <= Math.max(2, width / 90)) ?? STEPS.at(-1);
  const zone = new Date(from).getTimezoneOffset() * MINUTE;
  const found = [];
  for (let at = Math.ceil((from - zone) / step) * step + zone; at < to; at += step) {
    const date = new Date(at);
    const midnight = date.getHours() === 0 && date.getMinutes() === 0;
    const text = (step >= DAY || midnight ? DAY_TEXT : TIME_TEXT).format(date);
    if ((at - from) / (to - from) > 0.02) found.push({ at, text, strong: midnight && step < DAY });
  }
  return found;
}

const WORDS = { first: "First deploy", deploy: "Deploy", redeploy: "Redeploy", rollback: "Rollback" };

const LETTERS = { feature_flag: "F", config: "C", infrastructure: "I", database: "D", other: "•" };

function EventCard({ event }) {
  if (event.n > 1) return (
    <>
      <strong>{event.n} change events</strong>
      <div><When at={event.s} /> <br />to <When at={event.e} /></div>
      <span className="muted">Press to zoom in</span>
    </>
  );
  return (
    <>
      <div className="tl-card-head">
        <span className="badge event">◆ {event.word}</span>
        <strong>{event.service}</strong> <span className="muted">{event.environment}</span>
      </div>
      <p>{event.title}</p>
      {event.by && <div className="muted">{event.by}</div>}
      <div><When at={event.s} />{event.e > event.s && <><br />to <When at={event.e} /></>}</div>
    </>
  );
}

// Change events of a lane, in a row of their own below the deploys; what took its time has a bar.
function Events({ lane, from, to, place, isFresh, common, zoomTo }) {
  return lane.events.map((event) => {
    if (event.e < from || event.s > to) return null;
    const key = event.id || `events-${event.s}-${event.e}`, at = (moment) => Math.max(0, Math.min(100, place(moment)));
    const fresh = isFresh(event) ? "fresh" : "";
    if (event.n > 1) return (
      <li key={key} className={`tl-event ${fresh}`} style={{ left: `${at((event.s + event.e) / 2)}%` }}>
        <button type="button" className="tl-mark cluster events" aria-label={`${event.n} change events of ${lane.label}: zoom in`}
          onClick={() => zoomTo(event)} {...common({ event }, key)}><span aria-hidden="true">◆</span>{event.n}</button>
      </li>
    );
    const words = `${event.word} of ${event.service || lane.label}${event.environment ? ` in ${event.environment}` : ""}: ${event.title}`;
    return (
      <li key={key} className={`tl-event ${fresh}`} style={{ left: `${at(event.s)}%`, width: `${at(event.e) - at(event.s)}%` }}>
        {event.e > event.s && <i className="tl-lasts" />}
        <Link to={event.href} className={`tl-mark event ${event.kind}`} data-event={event.id} aria-label={words} {...common({ event }, key)}>
          <span aria-hidden="true">{LETTERS[event.kind] ?? "•"}</span>
        </Link>
      </li>
    );
  });
}

function SpanCard({ span }) {
  return (
    <>
      <div className="tl-card-head">
        <span className={`badge severity ${span.severity}`}>{span.severity}</span> <span className={`badge is-${span.status}`}>{span.status}</span>
      </div>
      <p><strong>#{span.number}</strong> {span.title}</p>
      {span.services && <div className="muted">{span.services}</div>}
      <div>≈ <When at={span.s} />{span.e > 0 && <><br />to <When at={span.e} /></>}</div>
    </>
  );
}

// Incidents of a lane: shaded from onset to end, or to now. The first lane that one touches has the link to it.
function Spans({ lane, lanes, spans, from, to, now, place, common }) {
  const touches = (span, key) => !span.lanes.length || span.lanes.includes(key);
  return spans.map((span) => {
    const end = span.e || Math.max(now ?? span.s, span.s);
    if (!touches(span, lane.key) || end < from || span.s > to) return null;
    const left = Math.max(0, place(span.s)), width = Math.min(100, place(end)) - left;
    const isFirst = lanes.find((other) => touches(span, other.key)) === lane;
    return (
      <li key={span.id} className={`tl-span ${span.severity} ${span.e ? "" : "goes-on"}`} style={{ left: `${left}%`, width: `${Math.max(0, width)}%` }}>
        {isFirst && (
          <Link to={`/incidents/${span.id}`} className="tl-mark tl-incident" data-incident={span.id}
            aria-label={`Incident #${span.number}, ${span.severity}, ${span.status}: ${span.title}`} {...common({ span }, span.id)}>
            <span aria-hidden="true">#{span.number}</span>
          </Link>
        )}
      </li>
    );
  });
}

function Card({ mark, left, top, flip }) {
  return (
    <div className={`tl-card ${flip ? "flip" : ""}`} style={{ left, top }} role="tooltip" id="tl-card">
      {mark.span ? <SpanCard span={mark.span} /> : mark.event ? <EventCard event={mark.event} /> : mark.n > 1 ? (
        <>
          <strong>{mark.n} deploys</strong>
          {mark.r > 0 && <span className="badge rollback">↩ {mark.r} {mark.r > 1 ? "rollbacks" : "rollback"}</span>}
          <div><When at={mark.s} /> <br />to <When at={mark.e} /></div>
          <span className="muted">Press to zoom in</span>
        </>
      ) : (
        <>
          <div className="tl-card-head">
            <span className={`badge ${mark.kind}`}>{mark.kind === "rollback" ? "↩ " : ""}{WORDS[mark.kind]}</span>
            <strong>{mark.service}</strong> <span className="muted">{mark.environment}</span>
          </div>
          <p>{mark.title}</p>
          <div className="muted">
            <code>{mark.sha}</code>{mark.version && <> · {mark.version}</>}{mark.by && <> · {mark.by}</>}
          </div>
          <div><When at={mark.s} /></div>
        </>
      )}
    </div>
  );
}

export function Timeline({ lanes, spans, start, end, live, onWindow, onLane, laneNoun }) {
  const [view, setView] = useState([start, end]);
  const [width, setWidth] = useState(800);
  const [card, setCard] = useState(null);
  const [brush, setBrush] = useState(null);
  const [behind, setBehind] = useState(false);
  const [now, setNow] = useState(null);
  const chart = useRef(null), track = useRef(null), busy = useRef(false), sent = useRef(null), timer = useRef(null);
  const known = useRef(null), focus = useRef("");
  const viewRef = useRef(view);
  viewRef.current = view;

  // The window of the server is taken over unless the reader is at work here.
  const take = useCallback(() => { setBehind(false); setView([start, end]); }, [start, end]);
  useEffect(() => {
    const reading = live && chart.current?.matches(":hover, :focus-within");
    const ours = sent.current && sent.current[0] === start && sent.current[1] === end;
    if (busy.current && !ours) return;
    if (reading && !ours && known.current && end - start === viewRef.current[1] - viewRef.current[0]) setBehind(true);
    else take();
  }, [start, end, live]);

  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(entry.contentRect.width || 800));
    observer.observe(track.current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    setNow(Date.now());
    const interval = setInterval(() => setNow(Date.now()), 15_000);
    return () => clearInterval(interval);
  }, []);
  useEffect(() => { known.current = new Set(lanes.flatMap((lane) => [...lane.marks, ...lane.events].map((m) => m.id || m.s))); }, [lanes]);

  const move = useCallback((next, delay = 220) => {
    const window_ = clampWindow(next);
    setView(window_);
    setCard(null);
    busy.current = true;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      busy.current = false;
      sent.current = window_;
      onWindow?.(window_[0], window_[1]);
    }, delay);
  }, [onWindow]);
  const zoom = useCallback((factor, anchor = 0.5) => {
    const [from, to] = viewRef.current, at = from + (to - from) * anchor;
    move([at - (at - from) * factor, at + (to - at) * factor]);
  }, [move]);
  const pan = useCallback((share) => {
    const [from, to] = viewRef.current, by = (to - from) * share;
    move([from + by, to + by]);
  }, [move]);

  useEffect(() => {
    const element = track.current;
    const onWheel = (event) => {
      const tall = element.offsetHeight > window.innerHeight * 0.8;
      const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
      if (tall && !sideways && !event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = element.getBoundingClientRect();
      if (sideways) pan((event.deltaX || event.deltaY) / box.width);
      else zoom(Math.exp(Math.max(-120, Math.min(120, event.deltaY)) / 300), (event.clientX - box.left) / box.width);
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    const onTool = (event) => ({ in: () => zoom(0.5), out: () => zoom(2), left: () => pan(-0.5), right: () => pan(0.5) })[event.detail]?.();
    window.addEventListener("timeline-tool", onTool);
    return () => { element.removeEventListener("wheel", onWheel); window.removeEventListener("timeline-tool", onTool); };
  }, [zoom, pan]);

  const drag = (event) => {
    if (event.button !== 0 || event.target.closest("a, button")) return;
    const box = track.current.getBoundingClientRect(), x0 = event.clientX, [from, to] = viewRef.current;
    const selecting = event.shiftKey, at = (x) => from + ((x - box.left) / box.width) * (to - from);
    let moved = false;
    const onMove = (e) => {
      if (!moved && Math.abs(e.clientX - x0) < 4) return;
      moved = true;
      if (selecting) setBrush([Math.min(x0, e.clientX) - box.left, Math.abs(e.clientX - x0)]);
      else { const by = ((e.clientX - x0) / box.width) * (to - from); move([from - by, to - by], 260); }
    };
    const onUp = (e) => {
      window.removeEventListener("pointermove", onMove);
      window.removeEventListener("pointerup", onUp);
      setBrush(null);
      if (moved && selecting) move([at(Math.min(x0, e.clientX)), at(Math.max(x0, e.clientX))], 0);
    };
    window.addEventListener("pointermove", onMove);
    window.addEventListener("pointerup", onUp);
  };

  const onKeyDown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const onMark = event.target.closest(".tl-mark");
    const act = {
      "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), "_": () => zoom(2),
      ArrowLeft: () => (onMark ? step(onMark, -1, 0) : pan(-0.25)), ArrowRight: () => (onMark ? step(onMark, 1, 0) : pan(0.25)),
      ArrowUp: () => onMark && step(onMark, 0, -1), ArrowDown: () => onMark && step(onMark, 0, 1),
      Escape: () => setCard(null),
    }[event.key];
    if (act) { event.preventDefault(); act(); }
  };
  const left = (element) => element.getBoundingClientRect().left;
  const step = (mark, dx, dy) => {
    const rows = [...chart.current.querySelectorAll(".tl-lane")].map((l) => [...l.querySelectorAll(".tl-mark")]).filter((r) => r.length);
    rows.forEach((row) => row.sort((a, b) => left(a) - left(b)));
    const y = rows.findIndex((row) => row.includes(mark)), x = rows[y].indexOf(mark);
    const row = rows[(y + dy + rows.length) % rows.length];
    const near = dy ? row.reduce((a, b) => Math.abs(left(b) - left(mark)) < Math.abs(left(a) - left(mark)) ? b : a) : row[(x + dx + row.length) % row.length];
    near.focus();
  };

  const [from, to] = view, length = to - from;
  const axis = useMemo(() => ticks(from, to, width), [from, to, width]);
  const place = (at) => ((at - from) / length) * 100;
  const show = (mark, key) => (event) => {
    const box = chart.current.getBoundingClientRect(), spot = event.currentTarget.getBoundingClientRect();
    focus.current = key;
    setCard({ mark, left: spot.left + spot.width / 2 - box.left, top: spot.bottom - box.top + 6, flip: spot.left - box.left > box.width * 0.6 });
  };
  const hide = () => setCard(null);
  const isFresh = (mark) => known.current && !known.current.has(mark.id || mark.s);
  const zoomTo = (mark) => {
    const pad = Math.max((mark.e - mark.s) * 0.2, SHORTEST / 4);
    move([mark.s - pad, mark.e + pad], 0);
  };
  let first = true;
  const common = (mark, key) => {
    const tabIndex = first || focus.current === key ? 0 : -1, same = card && (mark.span ? card.mark.span === mark.span : mark.event ? card.mark.event === mark.event : card.mark === mark);
    first = false;
    return {
      onMouseEnter: show(mark, key), onMouseLeave: hide, onFocus: show(mark, key), onBlur: hide,
      "aria-describedby": same ? "tl-card" : undefined, tabIndex,
    };
  };
  const total = (lane) => [lane.count && `${lane.count} deploys`, lane.event_count && `${lane.event_count} change events`].filter(Boolean).join(", ");

  return (
    <div className="tl" ref={chart} role="group" tabIndex={0} onKeyDown={onKeyDown} onMouseLeave={() => behind && take()}
      aria-label="Timeline of deploys, change events and incidents. Arrow keys pan, plus and minus zoom, Tab goes to the marks." data-start={from} data-end={to}>
      {behind && <button type="button" className="tl-behind pill" onClick={take}>Go to now</button>}
      <div className="tl-axis" aria-hidden="true">
        {axis.map((t) => (
          <span key={t.at} className={t.strong ? "strong" : ""} style={{ left: `${place(t.at)}%` }}>{t.text}</span>
        ))}
      </div>
      <div className="tl-body">
        <div className="tl-labels">
          {lanes.map((lane) => (
            <button key={lane.key} type="button" className={`tl-label ${lane.count && lane.event_count ? "has-events" : ""}`} disabled={!lane.key}
              onClick={() => onLane?.(lane.key)} title={lane.key ? `Show only ${lane.label}` : "Change events that are of no lane in particular"}>
              <span>{lane.label}</span> <small>{lane.count > 0 && lane.count}{lane.event_count > 0 && ` ◆${lane.event_count}`}</small>
            </button>
          ))}
        </div>
        <div className="tl-track" ref={track} onPointerDown={drag}>
          {axis.map((t) => <i key={t.at} className={`tl-grid ${t.strong ? "strong" : ""}`} style={{ left: `${place(t.at)}%` }} />)}
          {now && now > from && now < to && <i className="tl-now" style={{ left: `${place(now)}%` }} />}
          {brush && <i className="tl-brush" style={{ left: brush[0], width: brush[1] }} />}
          {lanes.map((lane) => (
            <ul className={`tl-lane ${lane.count && lane.event_count ? "has-events" : ""}`} key={lane.key} aria-label={`${lane.label}: ${total(lane)}`}>
              <Spans {...{ lane, lanes, spans, from, to, now, place, common }} />
              {lane.marks.map((mark) => {
                if (mark.e < from || mark.s > to) return null;
                const key = mark.id || `${mark.s}-${mark.e}`, fresh = isFresh(mark);
                if (mark.n > 1) {
                  const label = `${mark.n} ${lane.label} deploys${mark.r ? `, ${mark.r} of them rollbacks` : ""}: zoom in`;
                  const middle = Math.max(0, Math.min(100, (place(mark.s) + place(mark.e)) / 2));
                  return (
                    <li key={key} className={fresh ? "fresh" : ""} style={{ left: `${middle}%` }}>
                      <button type="button" className={`tl-mark cluster ${mark.r ? "has-rollback" : ""}`} aria-label={label} {...common(mark, key)}
                        style={{ minWidth: `max(26px, ${((mark.e - mark.s) / length) * width}px)` }}
                        onClick={() => zoomTo(mark)}>{mark.n}{mark.r > 0 && <span aria-hidden="true">↩</span>}</button>
                    </li>
                  );
                }
                return (
                  <li key={key} className={fresh ? "fresh" : ""} style={{ left: `${place(mark.s)}%` }}>
                    <Link to={`/deploys/${mark.id}`} className={`tl-mark ${mark.kind} env-${mark.environment === "production" ? "production" : "other"}`}
                      data-deploy={mark.id} aria-label={`${WORDS[mark.kind]} of ${mark.service} to ${mark.environment}: ${mark.title}`} {...common(mark, key)}>
                      <span aria-hidden="true">{mark.kind === "rollback" ? "↩" : ""}</span>
                    </Link>
                  </li>
                );
              })}
              <Events {...{ lane, from, to, place, isFresh, common, zoomTo }} />
            </ul>
          ))}
        </div>
      </div>
      {card && <Card {...card} />}
    </div>
  );
}

export function TimelineTools() {
  const use = (tool) => () => window.dispatchEvent(new CustomEvent("timeline-tool", { detail: tool }));
  const tools = [["left", "←", "Earlier"], ["right", "→", "Later"], ["out", "−", "Zoom out"], ["in", "+", "Zoom in"]];
  return (
    <div className="segmented" role="group" aria-label="Move and zoom">
      {tools.map(([tool, sign, name]) => (
        <button key={tool} type="button" onClick={use(tool)} aria-label={name} title={name}>{sign}</button>
      ))}
    </div>
  );
}

// A range that is typed: in the reader's own zone, sent as moments.
export function RangeFields({ start, end, onWindow }) {
  const local = (ms) => new Date(ms - new Date(ms).getTimezoneOffset() * MINUTE).toISOString().slice(0, 16);
  const [error, setError] = useState("");
  const [mounted, setMounted] = useState(false);
  useEffect(() => setMounted(true), []);
  const submit = (event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget), from = +new Date(form.get("from")), to = +new Date(form.get("to"));
    if (!(to > from)) return setError("The end must come after the start.");
    setError("");
    onWindow?.(from, to);
    event.currentTarget.closest("details")?.removeAttribute("open");
  };
  if (!mounted) return null;
  return (
    <form onSubmit={submit} className="range-fields" key={`${start}${end}`}>
      <label className="field"><span>From</span><input type="datetime-local" name="from" defaultValue={local(start)} required /></label>
      <label className="field"><span>To</span><input type="datetime-local" name="to" defaultValue={local(end)} required /></label>
      {error && <span className="field-error" role="alert">{error}</span>}
      <button type="submit" className="button primary">Show</button>
    </form>
  );
}

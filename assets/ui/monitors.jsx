// The newest checks of a monitor as bars: what failed is a cross, what was slow is dashed, so colour is never alone.
import { memo } from "react";

const STEP = 6, HEIGHT = 26, MOST = 40;
const NAMES = { u: "passed", s: "slow", d: "failed" };

export const Checks = memo(function Checks({ recent }) {
  const checks = (recent ?? "").split(" ").filter(Boolean).slice(-MOST)
    .map((one) => ({ kind: one[0], ms: one.length > 1 ? Number(one.slice(1)) : null }));
  if (!checks.length) return null;
  const times = checks.map((c) => c.ms).filter((ms) => ms !== null);
  const longest = Math.max(1, ...times);
  const first = MOST - checks.length;
  const paths = { u: "", s: "", d: "" };
  checks.forEach(({ kind, ms }, n) => {
    const x = (first + n) * STEP + STEP / 2;
    const bar = Math.max(2, (HEIGHT * (ms ?? 0)) / longest);
    paths[kind] += kind === "d" ? `M${x - 2.2} ${HEIGHT - 5.4}l4.4 4.4m0-4.4l-4.4 4.4` : `M${x} ${HEIGHT}v${-bar}`;
  });
  const counts = Object.keys(NAMES).map((kind) => [checks.filter((c) => c.kind === kind).length, NAMES[kind]])
    .filter(([count]) => count).map(([count, name]) => `${count} ${name}`).join(", ");
  const span = times.length ? `; ${Math.min(...times)} to ${longest} ms` : "";
  return (
    <svg className="checks-chart" viewBox={`0 0 ${MOST * STEP} ${HEIGHT}`} role="img" aria-label={`Last ${checks.length} checks: ${counts}${span}`}>
      {Object.entries(paths).map(([kind, d]) => d && <path key={kind} className={NAMES[kind]} d={d} />)}
    </svg>
  );
});

// Small things that only a browser can do: its clock and zone, its clipboard, its theme, its scrolling.
import { memo, useContext, useEffect, useId, useRef, useState } from "react";
import { ColorModeContext } from "$/utils/context-registry";

const clock = { listeners: new Set(), timer: null };
const useTick = () => {
  const [, tick] = useState(0);
  useEffect(() => {
    const listener = () => tick((n) => n + 1);
    clock.listeners.add(listener);
    clock.timer ??= setInterval(() => clock.listeners.forEach((l) => l()), 10_000);
    return () => clock.listeners.delete(listener);
  }, []);
};

// Formatters are made once: making one costs more than all else that a row does.
const UNITS = [["year", 31536e6], ["month", 2592e6], ["week", 6048e5], ["day", 864e5], ["hour", 36e5], ["minute", 6e4]];
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const TIME = { hour: "2-digit", minute: "2-digit" }, DATE = { day: "numeric", month: "short" };
const IN_DAY = new Intl.DateTimeFormat("en-GB", TIME);
const IN_YEAR = new Intl.DateTimeFormat("en-GB", { ...DATE, ...TIME });
const WHENEVER = new Intl.DateTimeFormat("en-GB", { ...DATE, year: "numeric", ...TIME });
const ZONE = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" });

const relative = (at, now) => {
  const apart = at - now;
  const [unit, length] = UNITS.find(([, l]) => Math.abs(apart) >= l) ?? [];
  if (!unit) return Math.abs(apart) < 2e4 ? "just now" : `${Math.round(Math.abs(apart) / 1000)} s ${apart < 0 ? "ago" : "ahead"}`;
  return AGO.format(Math.trunc(apart / length), unit);
};
const absolute = (date, now = new Date()) => {
  const sameDay = date.toDateString() === now.toDateString();
  return (sameDay ? IN_DAY : date.getFullYear() === now.getFullYear() ? IN_YEAR : WHENEVER).format(date);
};
const zone = (date) => ZONE.formatToParts(date).find((p) => p.type === "timeZoneName").value;

export const When = memo(function When({ at, short }) {
  useTick();
  const [mounted, setMounted] = useState(false);
  useEffect(() => setMounted(true), []);
  const date = new Date(at ?? NaN);
  if (!mounted || isNaN(date)) return <time>{mounted ? "" : "…"}</time>;
  const utc = `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  return (
    <time dateTime={date.toISOString()} title={utc} className="when">
      <span className="when-relative">{relative(date.getTime(), Date.now())}</span>
      {!short && <span className="when-absolute">{` · ${absolute(date)} ${zone(date)}`}</span>}
    </time>
  );
});

export function CopyButton({ text, label }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = Object.assign(document.createElement("textarea"), { value: text });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    setDone(true);
    setTimeout(() => setDone(false), 2000);
  };
  return (
    <button type="button" className="button small" onClick={copy}>
      <span aria-live="polite">{done ? "Copied" : label}</span>
    </button>
  );
}

export function Snippet({ text, label }) {
  return (
    <div className="snippet">
      <pre tabIndex={0} aria-label={label}><code>{text}</code></pre>
      <CopyButton text={text} label="Copy" />
    </div>
  );
}

export function Tabs({ items, label }) {
  const [chosen, choose] = useState(0);
  const id = useId();
  const list = useRef(null);
  const onKeyDown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = (chosen + step + items.length) % items.length;
    choose(next);
    list.current.children[next].focus();
  };
  if (!items?.length) return null;
  const item = items[chosen];
  return (
    <div className="tabs">
      <div role="tablist" aria-label={label} ref={list} onKeyDown={onKeyDown}>
        {items.map((it, i) => (
          <button key={it.title} role="tab" type="button" id={`${id}${i}`} aria-selected={i === chosen}
            aria-controls={`${id}panel`} tabIndex={i === chosen ? 0 : -1} onClick={() => choose(i)}>
            {it.title}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}panel`} aria-labelledby={`${id}${chosen}`}>
        <p className="muted">{item.hint}</p>
        <Snippet text={item.text} label={item.title} />
      </div>
    </div>
  );
}

export function LiveDot({ offline }) {
  const [since, setSince] = useState(null);
  useEffect(() => setSince(offline ? new Date() : null), [!!offline]);
  useTick();
  const stale = since && Date.now() - since > 15_000;
  const text = !offline ? "Live" : stale ? `Stale since ${absolute(since)}` : "Reconnecting…";
  return (
    <span className={`live-dot ${!offline ? "is-live" : stale ? "is-stale" : "is-waiting"}`} role="status">
      <i aria-hidden="true" />{text}
    </span>
  );
}

export function ThemeSwitch() {
  const { rawColorMode, setColorMode } = useContext(ColorModeContext);
  const [mounted, setMounted] = useState(false);
  useEffect(() => setMounted(true), []);
  return (
    <label className="theme-switch">
      <span>Theme</span>
      <select value={mounted ? rawColorMode : "system"} onChange={(event) => setColorMode(event.target.value)}>
        <option value="system">System</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  );
}

// Tells when its place leaves the view, that is, when the reader has scrolled on.
export function ScrollMark({ onReading }) {
  const place = useRef(null);
  useEffect(() => {
    let first = true;
    const observer = new IntersectionObserver(([entry]) => {
      if (!first || !entry.isIntersecting) onReading?.(!entry.isIntersecting);
      first = false;
    });
    observer.observe(place.current);
    return () => observer.disconnect();
  }, []);
  return <div ref={place} className="scroll-mark" aria-hidden="true" />;
}

export function Toasts({ items, onGone }) {
  useEffect(() => {
    const timers = items.filter((t) => t.kind !== "error").map((t) => setTimeout(() => onGone(t.id), 6000));
    return () => timers.forEach(clearTimeout);
  }, [items.map((t) => t.id).join()]);
  return (
    <div className="toasts" role="region" aria-label="Messages" aria-live="polite">
      {items.map((t) => (
        <div key={t.id} className={`toast ${t.kind}`} role={t.kind === "error" ? "alert" : "status"}>
          <span>{t.text}</span>
          <button type="button" aria-label="Dismiss" onClick={() => onGone(t.id)}>×</button>
        </div>
      ))}
    </div>
  );
}

// A question before something that cannot be taken back; the button inside the dialog does it.
export function Confirm({ trigger, title, text, action, danger, typed, onConfirm }) {
  const dialog = useRef(null);
  const [value, setValue] = useState("");
  const id = useId();
  const ready = !typed || value.trim() === typed;
  return (
    <>
      <button type="button" className={`button ${danger ? "danger" : ""}`} onClick={() => dialog.current.showModal()}>{trigger}</button>
      <dialog ref={dialog} aria-labelledby={id} className="dialog">
        <form method="dialog" onSubmit={() => { onConfirm?.(value.trim()); setValue(""); }}>
          <h2 id={id}>{title}</h2>
          <p>{text}</p>
          {typed && (
            <label className="field"><span>Type <strong>{typed}</strong> to confirm</span>
              <input value={value} onChange={(event) => setValue(event.target.value)} autoComplete="off" />
            </label>
          )}
          <div className="row end">
            <button type="button" className="button" onClick={() => dialog.current.close()}>Cancel</button>
            <button type="submit" className={`button ${danger ? "danger solid" : "primary"}`} disabled={!ready}>{action}</button>
          </div>
        </form>
      </dialog>
    </>
  );
}

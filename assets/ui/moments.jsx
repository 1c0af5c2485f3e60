// Two moments, or one, typed in the reader's zone. What the address says to the millisecond stays so until it is typed over.
import { useEffect, useState } from "react";

const MINUTE = 60_000;
const typed = (ms) => new Date(ms - new Date(ms).getTimezoneOffset() * MINUTE).toISOString().slice(0, 19);
const yesterday = () => { const day = new Date(); day.setDate(day.getDate() - 1); return +day; };
const PRESETS = [["Now", () => Date.now()], ["1 h ago", () => Date.now() - 60 * MINUTE], ["Yesterday, same time", yesterday]];

export function MomentFields({ start, end, one, onShow }) {
  const [draft, setDraft] = useState({});
  const [error, setError] = useState("");
  const [mounted, setMounted] = useState(false);
  useEffect(() => setMounted(true), []);
  useEffect(() => { setDraft({}); setError(""); }, [one]);

  const given = { start, end };
  const show = (moments) => { setDraft({}); setError(""); onShow?.(one ? moments.end : moments.start, moments.end); };
  const submit = (event) => {
    event.preventDefault();
    const moments = { ...given };
    for (const [name, text] of Object.entries(draft)) moments[name] = text === typed(given[name]) ? given[name] : +new Date(text);
    if (Object.values(moments).some(isNaN)) return setError("This is no moment: choose a day and a time.");
    if (!one && moments.start > moments.end) return setError("The first moment must come before the second.");
    show(moments);
  };

  if (!mounted) return <div className="moments" aria-hidden="true" />;
  const fields = one ? [["end", "At"]] : [["start", "From"], ["end", "To"]];
  return (
    <form className="moments" onSubmit={submit} noValidate aria-label="Moments">
      {fields.map(([name, label]) => (
        <div key={name} className="moment">
          <label className="field"><span>{label}</span>
            <input type="datetime-local" step="1" name={name} value={draft[name] ?? typed(given[name])} aria-describedby="moments-zone"
              onChange={(event) => setDraft({ ...draft, [name]: event.target.value })} />
          </label>
          <div className="presets" role="group" aria-label={`${label}, at once`}>
            {PRESETS.map(([words, moment]) => (
              <button key={words} type="button" className="link-button" onClick={() => show({ ...given, [name]: moment() })}>{words}</button>
            ))}
          </div>
        </div>
      ))}
      <button type="submit" className="button primary">Show</button>
      <small className="muted" id="moments-zone">Times in {Intl.DateTimeFormat().resolvedOptions().timeZone}</small>
      {error && <p className="field-error" role="alert">{error}</p>}
    </form>
  );
}

// When an incident began: the likeliest moment and the interval around it. An empty end of the interval is the moment itself.
export function OnsetFields({ earliest, at, latest, onSave }) {
  const [draft, setDraft] = useState({});
  const [error, setError] = useState("");
  const [mounted, setMounted] = useState(false);
  useEffect(() => setMounted(true), []);
  useEffect(() => { setDraft({}); setError(""); }, [earliest, at, latest]);

  const given = { earliest, at, latest };
  const submit = (event) => {
    event.preventDefault();
    const moments = { ...given };
    for (const [name, text] of Object.entries(draft)) moments[name] = text === typed(given[name]) ? given[name] : +new Date(text);
    if (Object.values(moments).some(isNaN)) return setError("This is no moment: choose a day and a time.");
    if (moments.at > Date.now()) return setError("It began before now.");
    const outside = !(moments.earliest <= moments.at && moments.at <= moments.latest);
    if (outside && ("earliest" in draft || "latest" in draft)) return setError("The moment must lie between its earliest and its latest.");
    setError("");
    onSave?.(outside ? moments.at : moments.earliest, moments.at, outside ? moments.at : moments.latest);
  };
  if (!mounted) return <div className="moments" aria-hidden="true" />;
  return (
    <form className="moments" onSubmit={submit} noValidate aria-label="When it began">
      {[["earliest", "Not before"], ["at", "Began at"], ["latest", "Not after"]].map(([name, label]) => (
        <label key={name} className="field"><span>{label}</span>
          <input type="datetime-local" step="1" name={name} value={draft[name] ?? typed(given[name])} aria-describedby="onset-zone"
            onChange={(event) => setDraft({ ...draft, [name]: event.target.value })} />
        </label>
      ))}
      <button type="submit" className="button primary">Save</button>
      <small className="muted" id="onset-zone">Times in {Intl.DateTimeFormat().resolvedOptions().timeZone}</small>
      {error && <p className="field-error" role="alert">{error}</p>}
    </form>
  );
}

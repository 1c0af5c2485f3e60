// A moment of a form: typed in the reader's zone, sent in UTC by a hidden field.
import { useEffect, useState } from "react";

export function MomentField({ name, label, hint }) {
  const [text, setText] = useState("");
  const [zone, setZone] = useState("");
  useEffect(() => setZone(Intl.DateTimeFormat().resolvedOptions().timeZone), []);
  const moment = text ? new Date(text) : null;
  return (
    <label className="field">
      <span>{label}</span>
      <input type="datetime-local" step="1" value={text} onChange={(event) => setText(event.target.value)} />
      <input type="hidden" name={name} value={moment && !isNaN(+moment) ? moment.toISOString() : ""} />
      <small className="muted">{hint} {zone && `Time in ${zone}.`}</small>
    </label>
  );
}

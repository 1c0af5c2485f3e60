// A changed file that opens to its unified diff: each line with its numbers of before and after.
import { useState } from "react";

const HUNK = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/;
const KINDS = { "+": "added", "-": "removed", "@": "hunk", "\\": "remark" };

function numbered(text) {
  let before = 0, after = 0;
  return text.split("\n").map((line) => {
    const kind = KINDS[line[0]] ?? "same";
    const hunk = kind === "hunk" && HUNK.exec(line);
    if (hunk) [before, after] = [Number(hunk[1]) - 1, Number(hunk[2]) - 1];
    if (kind === "same" || kind === "removed") before += 1;
    if (kind === "same" || kind === "added") after += 1;
    return {
      kind,
      before: kind === "same" || kind === "removed" ? before : "",
      after: kind === "same" || kind === "added" ? after : "",
      line,
    };
  });
}

export function Patch({ text, path, onOpen, children }) {
  const [open, setOpen] = useState(false);
  const toggle = (event) => {
    setOpen(event.target.open);
    if (event.target.open) onOpen();
  };
  return (
    <details onToggle={toggle}>
      <summary>{children}</summary>
      {open && (text === undefined ? <p className="muted">Loading…</p> : <Lines text={text} path={path} />)}
    </details>
  );
}

function Lines({ text, path }) {
  return (
    <div className="patch" tabIndex={0} role="region" aria-label={`Difference of ${path}`}>
      <table>
        <tbody>
          {numbered(text).map(({ kind, before, after, line }, i) => (
            <tr key={i} className={kind}>
              <td>{before}</td>
              <td>{after}</td>
              <td><code>{line}</code></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

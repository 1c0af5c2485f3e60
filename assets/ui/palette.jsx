// Ctrl-K and the single keys. Single keys do nothing in fields and can be switched off.
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { useNavigate } from "react-router";

const KEY = "blametrail.single-keys";
const inField = (target) => target.closest?.("input, textarea, select, [contenteditable], dialog");

export function Palette({ pages, found, onSearch }) {
  const dialog = useRef(null), help = useRef(null), input = useRef(null), prefix = useRef(0), timer = useRef(null);
  const [words, setWords] = useState("");
  const [chosen, setChosen] = useState(0);
  const [singles, setSingles] = useState(true);
  const navigate = useNavigate();

  const items = [
    ...pages.filter((p) => p.title.toLowerCase().includes(words.toLowerCase())).map((p) => ({ ...p, kind: "Page" })),
    ...(words.trim() ? found : []),
  ];
  const open = () => { setWords(""); setChosen(0); dialog.current.open || dialog.current.showModal(); input.current.focus(); };
  const go = (item) => { if (!item) return; dialog.current.close(); navigate(item.href); };

  useEffect(() => setSingles(localStorage.getItem(KEY) !== "off"), []);
  // Before the page is painted: whoever sees it can type.
  useLayoutEffect(() => {
    const onKey = (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); return open(); }
      if (!singles || event.ctrlKey || event.metaKey || event.altKey || inField(event.target)) return;
      const after = Date.now() - prefix.current < 1200;
      prefix.current = 0;
      const page = after && pages.find((p) => p.key === event.key);
      if (page) { event.preventDefault(); return navigate(page.href); }
      if (event.key === "g") prefix.current = Date.now();
      if (event.key === "?") help.current.showModal();
      if (event.key === "/") {
        event.preventDefault();
        const search = document.querySelector("main input[type=search]");
        search ? search.focus() : open();
      }
      if (event.key === "j" || event.key === "k") {
        const links = [...document.querySelectorAll("[data-row] a.row-link")];
        const at = links.indexOf(document.activeElement) + (event.key === "j" ? 1 : -1);
        links[Math.max(0, Math.min(links.length - 1, at))]?.focus();
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [singles, pages, navigate]);

  // Menus are plain <details>: they close at Escape, at a press elsewhere, and when another one opens.
  useEffect(() => {
    const close = (but) => document.querySelectorAll("details.dropdown[open], details.person-menu[open]").forEach((menu) => {
      if (!menu.contains(but)) menu.open = false;
    });
    const onPress = (event) => close(event.target);
    const onEscape = (event) => {
      if (event.key !== "Escape") return;
      const menu = document.activeElement?.closest?.("details[open]");
      close(null);
      menu?.querySelector("summary")?.focus();
    };
    document.addEventListener("pointerdown", onPress);
    document.addEventListener("keydown", onEscape);
    return () => { document.removeEventListener("pointerdown", onPress); document.removeEventListener("keydown", onEscape); };
  }, []);

  const type = (event) => {
    const text = event.target.value;
    setWords(text);
    setChosen(0);
    clearTimeout(timer.current);
    if (text.trim()) timer.current = setTimeout(() => onSearch?.(text.trim().slice(0, 200)), 120);
  };
  const onKeyDown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); setChosen((c) => (c + step + items.length) % Math.max(1, items.length)); }
    if (event.key === "Enter") { event.preventDefault(); go(items[chosen]); }
  };

  return (
    <>
      <dialog ref={dialog} className="dialog palette" aria-label="Go to" onClick={(e) => e.target === dialog.current && dialog.current.close()}>
        <input ref={input} role="combobox" aria-expanded="true" aria-controls="palette-list" aria-activedescendant={items[chosen] ? `palette-${chosen}` : undefined}
          aria-label="Go to a page, a service, a deploy or a commit" placeholder="Go to a page, service, deploy or commit…" value={words} onChange={type} onKeyDown={onKeyDown} />
        <ul id="palette-list" role="listbox" aria-label="Results">
          {items.map((item, i) => (
            <li key={item.href + item.title} id={`palette-${i}`} role="option" aria-selected={i === chosen} onMouseMove={() => setChosen(i)} onClick={() => go(item)}>
              <span>{item.title}</span><small>{item.kind}</small>
            </li>
          ))}
          {!items.length && <li className="muted" role="option" aria-selected="false">Nothing fits.</li>}
        </ul>
      </dialog>
      <dialog ref={help} className="dialog" aria-label="Keyboard shortcuts">
        <h2>Keyboard shortcuts</h2>
        <dl className="keys">
          <dt><kbd>Ctrl</kbd> <kbd>K</kbd></dt><dd>Go to anything</dd>
          {pages.map((p) => <span key={p.key}><dt><kbd>g</kbd> <kbd>{p.key}</kbd></dt><dd>{p.title}</dd></span>)}
          <dt><kbd>/</kbd></dt><dd>Search this page</dd>
          <dt><kbd>j</kbd> <kbd>k</kbd></dt><dd>Next and previous row</dd>
          <dt><kbd>+</kbd> <kbd>−</kbd> <kbd>←</kbd> <kbd>→</kbd></dt><dd>Zoom and pan, on the timeline</dd>
        </dl>
        <label className="check"><input type="checkbox" checked={singles} onChange={(e) => { setSingles(e.target.checked); localStorage.setItem(KEY, e.target.checked ? "on" : "off"); }} /> Single-key shortcuts</label>
        <form method="dialog" className="row end"><button className="button">Close</button></form>
      </dialog>
    </>
  );
}

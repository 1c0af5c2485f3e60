// Forms that carry a secret: posted as JSON, answered with errors beside their fields, input kept.
import { createContext, useContext, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { useNavigate } from "react-router";
import { CopyButton } from "$/public/ui/pieces.jsx";

const Errors = createContext({});

// Secrets that an answer showed, by what they belong to. They live until the page is left or hidden.
const secrets = new Map();
const listeners = new Set();
const subscribe = (listener) => (listeners.add(listener), () => listeners.delete(listener));
const keepSecret = (of, value) => {
  value ? secrets.set(of, value) : secrets.delete(of);
  listeners.forEach((listener) => listener());
};

const readForm = (form) => {
  const fields = {};
  for (const [name, value] of new FormData(form)) {
    if (name.endsWith("[]")) (fields[name.slice(0, -2)] ??= []).push(value);
    else fields[name] = value;
  }
  return fields;
};

export async function post(path, fields) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(fields),
    });
    const data = await answer.json();
    return answer.ok ? { data } : { error: data.error, requestId: data.request_id };
  } catch {
    return { error: { message: "The server did not answer. What you typed is still here: try again." } };
  }
}

export function ApiForm({ action, hard, extra, resetOnDone, className, label, children }) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState(null);
  const [told, setTold] = useState("");
  const form = useRef(null);
  const navigate = useNavigate();

  const fields = Object.fromEntries((failure?.error.fields ?? []).map((f) => [f.field, f.message]));
  useEffect(() => {
    let first;
    for (const input of form.current.elements) {
      if (!input.name) continue;
      const wrong = fields[input.name.replace("[]", "")];
      wrong ? input.setAttribute("aria-invalid", "true") : input.removeAttribute("aria-invalid");
      if (wrong) first ??= input;
    }
    first?.focus();
  }, [failure]);

  const submit = async (event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setTold("");
    const sent = { ...readForm(form.current), ...(extra ?? {}) };
    if (sent.token === "#") sent.token = window.location.hash.slice(1);
    const { data, error, requestId } = await post(action, sent);
    setFailure(error ? { error, requestId } : null);
    if (data?.secret) keepSecret(data.secret_of, data.secret);
    if (data?.message) setTold(data.message);
    if (data && resetOnDone) form.current.reset();
    if (data?.location) {
      if (hard) return window.location.assign(data.location);
      navigate(data.location);
    }
    setBusy(false);
  };

  return (
    <form ref={form} className={className} onSubmit={submit} aria-label={label} aria-busy={busy} noValidate>
      <Errors.Provider value={fields}>{children}</Errors.Provider>
      <div role="alert">
        {failure && !failure.error.fields && (
          <p className="form-failure">
            {failure.error.message}
            {failure.requestId && <small> Request {failure.requestId.slice(0, 12)}</small>}
          </p>
        )}
      </div>
      <p role="status" className="form-told">{told}</p>
    </form>
  );
}

export function FieldError({ name }) {
  const why = useContext(Errors)[name];
  return why ? <span className="field-error" role="alert">{`This ${why}.`}</span> : null;
}

export function OneTimeSecret({ of, label, hint }) {
  const value = useSyncExternalStore(subscribe, () => secrets.get(of), () => undefined);
  const place = useRef(null);
  useEffect(() => () => keepSecret(of, null), [of]);
  // It is shown once, so it must be seen: what asked for it may be far below.
  useEffect(() => { if (value) place.current?.scrollIntoView({ block: "center" }); }, [value]);
  if (!value) return null;
  return (
    <section className="secret" aria-label={label} data-secret-of={of} ref={place}>
      <strong>{label}</strong>
      <div className="secret-line">
        <code data-testid="secret">{value}</code>
        <CopyButton text={value} label="Copy" />
      </div>
      <p>{hint}</p>
    </section>
  );
}

export function Invitation({ children }) {
  const [state, setState] = useState({});
  useEffect(() => {
    const token = window.location.hash.slice(1);
    post("/form/invitation", { token }).then(({ data, error }) => setState(data ? { data } : { error }));
  }, []);
  if (state.error) return <p className="form-failure" role="alert">{state.error.message}</p>;
  if (!state.data) return <p className="muted">Looking at your invitation…</p>;
  const { organization, email, role, has_account } = state.data;
  return (
    <>
      <p className="lede">
        You are invited to <strong>{organization}</strong> as <strong>{role}</strong>, with the address {email}.{" "}
        {has_account ? "You have an account here: enter its password to join." : "Choose a name and a password to join."}
      </p>
      <div data-has-account={has_account}>{children}</div>
    </>
  );
}

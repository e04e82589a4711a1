// The words of the page: en.json and ko.json have the same keys.

const tables = {};
export const languages = ["en", "ko"];
export let language = "en";

export async function loadWords() {
  for (const l of languages) tables[l] = await (await fetch(`${l}.json`)).json();
  const asked = new URLSearchParams(location.search).get("lang") ?? stored() ?? navigator.language.slice(0, 2);
  setLanguage(languages.includes(asked) ? asked : "en");
}

function stored() {
  try {
    return localStorage.getItem("redial-lab-language");
  } catch {
    return null; // The browser can forbid storage.
  }
}

export function setLanguage(l) {
  language = l;
  document.documentElement.lang = l;
  try {
    localStorage.setItem("redial-lab-language", l);
  } catch {
    // Without storage the page asks the browser for its language each time.
  }
}

/** The text with the key, with {names} filled in. */
export function t(key, values = {}) {
  const text = tables[language]?.[key] ?? tables.en?.[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Translates a message of the page's own stories ("hello", "news 3"); any other text stays as it is. */
export function chat(text) {
  const [, words, number = ""] = /^(.*?)( \d+)?$/s.exec(text);
  const key = Object.keys(tables.en ?? {}).find((k) => k.startsWith("chat ") && languages.some((l) => tables[l][k] === words));
  return key ? t(key) + number : text;
}

export const has = (key) => key in (tables.en ?? {});

export function clock(milliseconds) {
  return `${(milliseconds / 1000).toFixed(3)} s`;
}

/** A duration in the largest units that fit. */
export function span(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  if (milliseconds < 1000) return t("span ms", { n: Math.round(milliseconds) });
  if (seconds < 60) return t("span s", { n: (milliseconds / 1000).toFixed(milliseconds < 10000 ? 1 : 0) });
  return t("span m", { m: Math.floor(seconds / 60), s: seconds % 60 });
}

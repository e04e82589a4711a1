// The line above the story, in which the page reports on its work.
import { $, el, fill } from "./dom.js";
import { t } from "./words.js";

export function say(text, wrong = false) {
  $("said").textContent = text;
  $("said").className = wrong ? "wrong" : "";
}

/** Shows an error. Its text is in English in both languages. */
export function sayProblem(error) {
  fill($("said"), t("problem"), el("code", { lang: "en" }, error));
  $("said").className = "wrong";
}

// The verdict on a run, in words.
import { el, fill } from "./dom.js";
import { t } from "./words.js";

/** Names a finding: whose page, which anomaly, and which message if there is one. */
export const findingWords = ({ client, anomaly, message }) =>
  t(message ? "finding" : "finding of no message", { client: client || t("log"), anomaly: t(`anomaly ${anomaly}`), message });

/** Draws the verdict; `pick` shows a finding in the drawing. */
export function drawVerdict(place, run, pick) {
  const lost = run.findings.filter((f) => !f.promised);
  const kind = run.outcome === "pass" ? (run.beyond?.outcome === "fail" ? "beyond" : "pass") : run.outcome;
  const counts = ["lost", "duplicated", "reordered"].filter((k) => run.beyond?.[k]).map((k) => t(`count ${k}`, { n: run.beyond[k] })).join(", ");
  const broken = run.findings.find((f) => f.promised); // a page that never connected is not counted
  place.className = `verdict ${kind}`;
  place.dataset.outcome = run.outcome;
  place.dataset.kind = kind;
  const words = kind === "inconclusive" || kind === "unsupported" ? t(`verdict ${kind}`, { reason: run.reason ?? "" })
    : t(`verdict ${kind}`, { step: t(`step name ${run.step}`), level: t(`level ${run.level}`), counts: counts || (broken ? t(`anomaly ${broken.anomaly}`) : t("nothing lost")) });
  const shown = run.findings.slice(0, 4).map((f) => el("li", { class: f.promised ? "" : "beyond" },
    el("button", { type: "button", class: "link", onclick: () => pick({ at: f.at >= 0 ? f.at : run.length, selected: { kind: "finding", index: run.findings.indexOf(f) } }) },
      findingWords(f)), " ", f.promised ? f.sentence : t("is not promised", { level: t(`level ${run.level}`) })));
  fill(place, el("p", { class: "outcome" }, words, run.problem ? el("code", { lang: "en" }, run.problem) : null), shown.length ? el("ul", {}, shown) : null,
    run.findings.length > 4 ? el("p", {}, t("more findings", { n: run.findings.length - 4 })) : null);
}

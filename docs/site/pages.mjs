// The pages of the site, in the order of its sidebar. Every name is a page in both
// languages: docs/en/NAME.md and docs/ko/NAME.md, unless `files` says otherwise.
// stage.mjs fails where docs has a page that is not listed here.

export const languages = {
  en: {
    folder: '', lang: 'en', label: 'English',
    lab: 'The lab',
    start: 'Start the tutorial', open: 'Open the lab', check: 'Check your application',
  },
  ko: {
    folder: 'ko/', lang: 'ko', label: '한국어',
    lab: '실험실',
    start: '튜토리얼 시작하기', open: '실험실 열기', check: '내 애플리케이션 검사하기',
    note: '이 페이지는 영어로만 있습니다.',
  },
}

export const sections = [
  {
    title: { en: 'Learn', ko: '배우기' },
    pages: ['tutorial', 'step-1', 'step-2', 'step-3', 'step-4', 'step-5', 'step-6', 'step-7', 'step-7a', 'step-8', 'step-9', 'step-10'],
  },
  {
    title: { en: 'Check your application', ko: '내 애플리케이션 검사' },
    pages: ['kit', 'your-own-server', 'how-to-read-a-report', 'conformance'],
  },
  {
    title: { en: 'Background', ko: '더 알아보기' },
    pages: ['how-recovery-works', 'how-delivery-works', 'why-recovery-is-not-on', 'what-we-found', 'architecture', 'fidelity', 'defects', 'go-for-javascript-readers', 'glossary'],
  },
]

// What the sidebar calls a page, where the first heading does not fit.
export const shortTitles = {
  kit: { en: 'How to use Redial', ko: 'Redial 사용법' },
  conformance: { en: 'Applications compared', ko: '애플리케이션 비교표' },
  fidelity: { en: 'The two labs compared', ko: '두 실험실 비교표' },
  defects: { en: 'What is broken on purpose', ko: '일부러 망가뜨린 서버와 페이지' },
}

// Pages whose file has another name or is elsewhere. One file for both languages is a
// table that the kit writes in English.
export const files = {
  tutorial: { en: 'docs/en/index.md', ko: 'docs/ko/index.md' },
  kit: { en: 'README.md', ko: 'docs/ko/README.md' },
  conformance: { en: 'scenarios/conformance.md', ko: 'scenarios/conformance.md' },
  fidelity: { en: 'scenarios/fidelity.md', ko: 'scenarios/fidelity.md' },
  defects: { en: 'scenarios/defects.md', ko: 'scenarios/defects.md' },
}

export const fileOf = (name, language) => files[name]?.[language] ?? `docs/${language}/${name}.md`

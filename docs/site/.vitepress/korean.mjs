// The words of the theme in Korean.

export const korean = {
  outline: { level: [2, 3], label: '이 페이지의 내용' },
  docFooter: { prev: '이전', next: '다음' },
  darkModeSwitchLabel: '화면 모드',
  lightModeSwitchTitle: '밝은 화면으로 바꾸기',
  darkModeSwitchTitle: '어두운 화면으로 바꾸기',
  sidebarMenuLabel: '메뉴',
  returnToTopLabel: '맨 위로',
  langMenuLabel: '언어 바꾸기',
  skipToContentLabel: '본문으로 바로 가기',
  notFound: {
    title: '페이지를 찾을 수 없습니다',
    quote: '주소를 확인하거나 검색을 이용하세요.',
    linkLabel: '첫 페이지로 가기',
    linkText: '첫 페이지로',
  },
}

export const koreanSearch = {
  translations: {
    button: { buttonText: '검색', buttonAriaLabel: '검색' },
    modal: {
      displayDetails: '자세히 보기',
      resetButtonTitle: '검색어 지우기',
      backButtonTitle: '검색 닫기',
      noResultsText: '찾은 것이 없습니다:',
      footer: { selectText: '열기', navigateText: '이동', closeText: '닫기' },
    },
  },
}

package report

import (
	"cmp"

	"redial/harness/check"
)

// clauseWords has the clauses of findings and reasons in the languages other than English,
// by their English format. A translation has the same verbs of fmt, with indices where the
// order differs.
var clauseWords = map[Language]map[string]string{
	Korean: {
		"basic": "기본", "recovery": "복구", "server-delivery": "서버 전달", "client-delivery": "클라이언트 전달", "durable-delivery": "영속 전달",

		" (event %d)": "(이벤트 %d)", " (%s)": "(%s)",
		"%s shows %s": "%s의 페이지에 %s 표시", "everyone": "모두", "everyone is connected": "모든 페이지의 연결",
		"%s, which the server refused%s": "%s(서버가 거절한 메시지)%s",
		"connected: everyone":            "모든 페이지의 연결", "disconnected: everyone": "모든 페이지의 연결 끊김",
		"everyone shows the message of a new client": "새 클라이언트가 보낸 메시지를 모든 페이지에 표시",

		"to be shown": "표시되어야 합니다", "to be stored": "저장되어야 합니다", "to be shown once": "한 번만 표시되어야 합니다.",
		"%s, because the page that sent it%s stayed connected for long enough for it to arrive%s":                                            "%[1]s. 메시지를 보낸%[2]s 페이지가, 메시지가 도착하기에 충분한 시간%[3]s 동안 연결을 유지했기 때문입니다.",
		"%s: level %s promises it for what was sent%s on a page that is open and connected when the run ends":                                "%s. “%s” 수준은, 실행이 끝날 때 열려 있고 연결된 페이지에서 보낸%s 메시지에 대해 이를 약속합니다.",
		"%s: level %s promises it for what was sent%s in a browser that has a page open and connected when the run ends":                     "%s. “%s” 수준은, 실행이 끝날 때 열려 있고 연결된 페이지가 있는 브라우저에서 보낸%s 메시지에 대해 이를 약속합니다.",
		"to be shown: level %s leaves no gap, and the server's log has it%s before a message that this page did show, until it was closed%s": "표시되어야 합니다. “%[1]s” 수준은 중간에 빠지는 메시지가 없다고 약속합니다. 이 페이지가 닫히기 전%[3]s에 표시한 메시지보다 앞에, 서버의 로그에는 이 메시지가 있습니다%[2]s.",
		"to be shown: level %s promises %s%s to a page that is open and connected when the run ends":                                         "표시되어야 합니다. “%s” 수준은, 실행이 끝날 때 열려 있고 연결된 페이지에 %s%s 메시지를 모두 표시한다고 약속합니다.",
		"what is in the server's log": "서버의 로그에 있는", "what another page shows": "다른 페이지가 표시한", "what the server has acknowledged": "서버가 승인한",
		"to be shown by event %d, because the page was connected (since event %d) when it was sent%s, and stayed connected":                                                                                                                        "이벤트 %[1]d까지 표시되어야 합니다. 메시지를 보낼 때%[3]s 페이지는 연결되어 있었고(이벤트 %[2]d부터), 그 뒤로도 연결을 유지했기 때문입니다.",
		"to be shown by event %d, because the page was connected (since event %d) when it was sent%s, and level recovery covers the break after that (events %d to %d)%s: shorter than %s, neither side asked for it, and the server kept running": "이벤트 %[1]d까지 표시되어야 합니다. 메시지를 보낼 때%[3]s 페이지는 연결되어 있었고(이벤트 %[2]d부터), 그 뒤의 끊김(이벤트 %[4]d~%[5]d)%[6]s은 “복구” 수준이 다루는 범위에 있습니다. %[7]s보다 짧고, 어느 쪽도 끊기를 요청하지 않았으며, 서버가 계속 실행 중이었습니다.",
		"to be shown by event %d, because level recovery covers the break (events %d to %d) in which it was sent%s%s: shorter than %s, neither side asked for it, and the server kept running":                                                     "이벤트 %[1]d까지 표시되어야 합니다. 메시지를 보낸%[4]s 때의 끊김(이벤트 %[2]d~%[3]d)%[5]s은 “복구” 수준이 다루는 범위에 있습니다. %[6]s보다 짧고, 어느 쪽도 끊기를 요청하지 않았으며, 서버가 계속 실행 중이었습니다.",
		", and those until event %d":                                                                                   "과 이벤트 %d까지의 다른 끊김",
		"to be shown %d times, as often as the server's log holds it":                                                  "서버의 로그에 있는 대로 %d번 표시되어야 합니다.",
		"to be shown with offset %d, as in the server's log":                                                           "서버의 로그와 같이 오프셋 %d로 표시되어야 합니다.",
		"to be connected when the run ends":                                                                            "실행이 끝날 때 연결되어 있어야 합니다.",
		"to be in the server's log once":                                                                               "서버의 로그에 한 번만 있어야 합니다.",
		"to be in the server's log %d times, as before the run":                                                        "실행 전과 같이 서버의 로그에 %d번 있어야 합니다.",
		"to be in the server's log, because a page shows it%s":                                                         "페이지가 표시했으므로%s 서버의 로그에 있어야 합니다.",
		"to be in the server's log, because the server acknowledged it%s":                                              "서버가 승인했으므로%s 서버의 로그에 있어야 합니다.",
		"to come before %s, because %s sent it first (event %d, then event %d)":                                        "%[2]s의 전송 순서대로 %[1]s보다 앞에 있어야 합니다(이벤트 %[3]d, 다음이 이벤트 %[4]d).",
		"to come before %s, as in the server's log (event %d, then event %d)":                                          "서버의 로그와 같이 %s보다 앞에 있어야 합니다(이벤트 %d, 다음이 이벤트 %d).",
		"to come before %s, as they were first shown (event %d, then event %d): no one order fits what all pages show": "처음 표시된 순서대로 %s보다 앞에 있어야 합니다(이벤트 %d, 다음이 이벤트 %d). 모든 페이지의 표시 순서를 만족하는 하나의 순서가 없습니다.",
		"only messages that a client has sent, letter for letter":                                                      "클라이언트가 보낸 메시지만, 글자 하나 다르지 않게 표시되어야 합니다.",
		"only messages that the server has accepted":                                                                   "서버가 받아들인 메시지만 표시되어야 합니다.",
		"it sent once: it has this message, or had asked for what comes after it":                                      "한 번만 전송되어야 합니다. 페이지에 이 메시지가 이미 있거나, 페이지가 그다음 메시지부터 요청했습니다.",

		"no client sent this text":                                    "이 텍스트를 보낸 클라이언트가 없습니다.",
		"no client sent this text; it stands where %s%s is missing":   "이 텍스트를 보낸 클라이언트가 없습니다. 빠진 메시지 %s%s 자리에 있습니다.",
		"neither the server's log nor any page has it":                "서버의 로그에도, 어느 페이지에도 없습니다.",
		"no page shows it":                                            "표시한 페이지가 없습니다.",
		"the log does not hold it":                                    "로그에 없습니다.",
		"the server refused this one%s":                               "서버가 이 메시지를 거부했습니다%s.",
		"the server sent it again":                                    "서버가 다시 보냈습니다.",
		"the page shows no message at all":                            "페이지에 표시된 메시지가 하나도 없습니다.",
		"the page showed it, and had removed it when the run ended%s": "페이지가 표시했다가 목록에서 지웠고, 실행이 끝날 때까지 다시 표시하지 않았습니다%s.",
		"the page shows 1 other message and not this one":             "페이지에는 다른 메시지 1개만 있고, 이 메시지는 없습니다.",
		"the page shows %d other messages and not this one":           "페이지에는 다른 메시지 %d개만 있고, 이 메시지는 없습니다.",
		"it comes after %s":                                           "%s보다 뒤에 있습니다.",
		"it is shown %d times":                                        "%d번 표시되었습니다.",
		"it is shown with offset %d":                                  "오프셋 %d로 표시되었습니다.",
		"it is there %d times":                                        "%d번 있습니다.",
		"it never connected":                                          "한 번도 연결되지 않았습니다.",
		"the server disconnected it (event %d), after which a page connects again only if it calls connect()": "서버가 연결을 끊었고(이벤트 %d), 그 뒤에는 페이지가 connect()를 호출해야만 다시 연결됩니다.",
		"it has been disconnected since event %d (%s)":                                                        "이벤트 %d부터 연결이 끊겨 있습니다(%s).",

		"The history does not say how the run began: it has no event of the kind began.": "실행이 어떻게 시작되었는지 이력에 없습니다(began 이벤트가 없음).",
		"The history names the level %q, which there is not.":                            "이력에 적힌 수준 %q: 그런 수준은 없습니다.",
		"The history was cut short: it has no event of the kind ended.":                  "이력이 중간에 끊겼습니다(ended 이벤트가 없음).",
		"No client sent a message, so nothing could go wrong.":                           "메시지를 보낸 클라이언트가 없으므로 잘못될 수 있는 메시지도 없습니다.",
		"%s (%s) never fired.":                  "%s(%s): 실행 중에 일어나지 않았습니다.",
		"%s (%s) never fired, nor did %d more.": "%s(%s): 실행 중에 일어나지 않았습니다. 그 밖의 장애 %d건도 마찬가지입니다.",
		"%s It was to happen at an acknowledgement, and not enough of these were seen while the server was up: the server may send none, or the page may ask for none.": "%s 승인 응답이 올 때 일으킬 장애였지만, 서버가 실행 중일 때 승인 응답이 충분히 오지 않았습니다. 서버가 보내지 않거나 페이지가 요청하지 않을 수 있습니다.",
		"%s It was to happen at a packet that begins with %s, and not enough of these were seen while the server was up.":                                               "%s %s로 시작하는 패킷에서 일으킬 장애였지만, 서버가 실행 중일 때 그런 패킷이 충분히 오지 않았습니다.",
		"The planned fault %s":          "계획한 장애 %s",
		"A planned fault without an ID": "계획에 있는 ID 없는 장애",
		"The log was not read to its end%s, and without it the promise of this level cannot be checked.":                       "로그를 끝까지 읽지 못했습니다%s. 로그 없이는 이 수준의 약속을 검사할 수 없습니다.",
		"No rule was broken, but a wait timed out: %s.":                                                                        "규칙 위반은 없지만, 기다리던 일이 제한 시간 안에 일어나지 않았습니다: %s.",
		"The text %s was sent although it had been sent, or was in the log, before: the two messages cannot be distinguished.": "이미 보냈거나 로그에 있는 텍스트 %s: 다시 보냈으므로 두 메시지를 구별할 수 없습니다.",
	},
}

func (l Language) clause(format string) string {
	return cmp.Or(clauseWords[l][format], format)
}

// Finding returns what a finding says was expected and observed. A finding that was read from
// a file is in English.
func (l Language) Finding(f check.Finding) (expected, observed string) {
	wanted, seen := f.Clauses()
	if wanted.Format == "" {
		return f.Expected, f.Observed
	}
	return wanted.In(l.clause), seen.In(l.clause)
}

// Reason returns why a verdict is inconclusive. One that was read from a file is in English.
func (l Language) Reason(v check.Verdict) string {
	if reason := v.ReasonClause(); reason.Format != "" {
		return reason.In(l.clause)
	}
	return v.Reason
}

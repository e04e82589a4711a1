package report

import (
	"cmp"
	"fmt"
	"strings"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

// A Language is the language of a drawing's words. The empty one is [English].
type Language string

const (
	English Language = "en"
	Korean  Language = "ko"
)

// Languages lists every language that a drawing can have.
var Languages = []Language{English, Korean}

// Word returns the text with that key, with its arguments filled in.
func (l Language) Word(key string, arguments ...any) string {
	text := cmp.Or(drawingWords[l][key], drawingWords[English][key])
	if text == "" || len(arguments) == 0 {
		return cmp.Or(text, key)
	}
	return fmt.Sprintf(text, arguments...)
}

// Rule returns the sentence of the rule.
func (l Language) Rule(id contract.RuleID) string {
	if text := koreanRules[id]; l == Korean && text != "" {
		return text
	}
	return id.Sentence()
}

// Anomaly returns the name of that kind of finding.
func (l Language) Anomaly(a check.Anomaly) string { return l.Word("anomaly " + string(a)) }

// Fault returns the name of that kind of fault.
func (l Language) Fault(kind plan.FaultKind) string {
	return cmp.Or(drawingWords[l]["fault "+string(kind)], drawingWords[English]["fault "+string(kind)], string(kind))
}

// detail returns what the lab noted of an event. The note is in English, so a drawing in
// another language has it only where there is a word for it, or where it is the server's own.
func (l Language) detail(e history.Event) string {
	if l == "" || l == English || e.Kind == history.Refused {
		return e.Detail
	}
	return cmp.Or(drawingWords[l]["reason "+e.Detail], drawingWords[l][e.Detail])
}

// anomalies lists every kind of finding, in the order of a legend.
var anomalies = []check.Anomaly{
	check.Lost, check.Duplicated, check.Reordered, check.Phantom, check.Unstored, check.StoredTwice, check.Late, check.SentAgain,
}

// drawingWords has the words of the drawings, by language. The tables have the same keys, and
// each text has the same verbs of fmt in the same order, so that Word can fill in any of them.
var drawingWords = map[Language]map[string]string{
	English: {
		"server": "server", "log": "log", "view": "view %d",
		"connect": "connected", "recovered": "recovered", "disconnect": "disconnected",
		"start": "starts", "stopped": "stopped", "killed": "killed", "paused": "paused", "stop": "stops",
		"offset": "offset %d", "session until": "the server keeps the session until %s",
		"session":           "The server keeps the session of %s until %s, and can recover it until then.",
		"session recovered": "The server keeps the session of %s until it is recovered, at %s.",
		"connection":        "Connection %d of %s, from %s",
		"until":             "to %s", "noticed": "the server notices the end at %s", "never noticed": "the server has not noticed the end",
		"frame": "frame %d %s of connection %d", "up": "up", "down": "down",
		"lost on its way": "lost with its connection", "bytes": "%d bytes",
		"sent earlier": "sent at %s, which is left out here", "not sent here": "sent by no client of this run",
		"how far": "it is unknown how far it was delivered", "estimated": "when it reached the server is estimated",
		"waits":    "waits in the page until it is sent",
		"left out": "Left out, because there is no room: %s.", "events": "%d events", "frames": "%d frames", "clients": "%d clients", "findings": "%d findings",
		"empty": "Nothing happens here.", "drawing": "Messages, frames and connections over time",
		"offence": "%s: %s", "key": "Legend",

		"event sent": "sent", "event shown": "shown", "event removed": "removed from the list", "event repeated": "received again", "event acknowledged": "acknowledged",
		"event refused": "refused", "event stored": "stored", "event found": "in the log before",
		"event opened": "page loaded", "event closed": "page closed", "event connected": "connected", "event disconnected": "disconnected",
		"event suspended": "suspended", "event resumed": "wakes",
		"event server-started": "server starts", "event server-stopped": "server stops", "event data-replaced": "data replaced",
		"event fault-fired": "fault", "event fault-healed": "fault over",

		"packet http": "HTTP", "packet open": "open", "packet close": "close", "packet ping": "ping", "packet pong": "pong",
		"packet connect": "connect", "packet disconnect": "disconnect", "packet event": "event", "packet ack": "acknowledgement",
		"packet error": "connect error", "packet upgrade": "upgrade", "packet binary": "binary", "packet other": "frame",

		"reason transport close": "transport close", "reason transport error": "transport error", "reason ping timeout": "ping timeout",
		"reason io server disconnect": "io server disconnect", "reason io client disconnect": "io client disconnect",

		"fault cut": "cut", "fault reset": "reset", "fault half-open": "half-open", "fault switch": "network switch", "fault silence": "silence",
		"fault heal": "heal", "fault outage": "offline", "fault delay": "slow", "fault limit": "limited", "fault idle-close": "closed when idle",
		"fault crash": "crash", "fault restart": "restart", "fault refresh": "refresh",

		"anomaly lost": "lost", "anomaly duplicated": "duplicated", "anomaly reordered": "out of order", "anomaly phantom": "never sent",
		"anomaly unstored": "not stored", "anomaly stored twice": "stored twice", "anomaly late": "not connected at the end",
		"anomaly sent again": "sent again",

		"key message": "message", "key frame": "other frame", "key lost frame": "lost on its way", "key elsewhere": "sending left out here",
		"key estimated": "message, its time at the server estimated", "key unknown": "unknown how far it was delivered",
		"key page": "page open", "key connected": "connected", "key disconnected": "not connected", "key connection": "connection",
		"key half-open": "half-open: closed for the client only", "key session": "session kept", "key fault": "fault", "key row": "row of the log",
		"key waits": "waits in the page", "key offset": "offset of the page", "key sent": "sent", "key shown": "shown", "key acknowledged": "acknowledged",
		"key server": "server running", "key lasting": "lasting fault", "key connect": "connects",
		"key never shown": "never shown by this page", "key stuck": "not delivered now", "key break": "ends",
		"plot messages": "messages in the log", "plot bytes": "bytes", "plot ms": "ms", "plot step": "step %s",
	},
	Korean: {
		"server": "서버", "log": "로그", "view": "%d번째 로드",
		"connect": "연결됨", "recovered": "복구됨", "disconnect": "연결 끊김",
		"start": "시작", "stopped": "정지", "killed": "강제 종료", "paused": "일시 정지", "stop": "멈춤",
		"offset": "오프셋 %d", "session until": "서버가 세션을 %s까지 보관",
		"session":           "서버가 %s의 세션을 %s까지 보관하며, 그때까지 복구할 수 있습니다.",
		"session recovered": "서버가 %s의 세션을 보관하고 있다가 %s에 복구합니다.",
		"connection":        "%[2]s의 연결 %[1]d, %[3]s부터",
		"until":             "%s까지", "noticed": "서버는 %s에 연결이 끊긴 것을 감지합니다", "never noticed": "서버는 연결이 끊긴 것을 감지하지 못했습니다",
		"frame": "연결 %[3]d의 %[2]s %[1]d번째 프레임", "up": "상향", "down": "하향",
		"lost on its way": "연결과 함께 유실됨", "bytes": "%d바이트",
		"sent earlier": "%s에 보냈으나 여기에는 그리지 않음", "not sent here": "이 실행의 클라이언트가 보낸 것이 아님",
		"how far": "어디까지 전달됐는지 알 수 없음", "estimated": "서버에 도착한 시각은 추정",
		"waits":    "보낼 때까지 페이지에서 기다림",
		"left out": "자리가 없어 그리지 않은 것: %s.", "events": "이벤트 %d개", "frames": "프레임 %d개", "clients": "클라이언트 %d개", "findings": "위반 %d건",
		"empty": "이 구간에는 일어난 일이 없습니다.", "drawing": "시간에 따른 메시지, 프레임, 연결",
		"offence": "%s: %s", "key": "범례",

		"event sent": "보냄", "event shown": "표시함", "event removed": "목록에서 지움", "event repeated": "다시 받음", "event acknowledged": "승인 응답",
		"event refused": "거부됨", "event stored": "저장됨", "event found": "이전부터 로그에 있음",
		"event opened": "페이지 열림", "event closed": "페이지 닫힘", "event connected": "연결됨", "event disconnected": "연결 끊김",
		"event suspended": "절전 상태", "event resumed": "깨어남",
		"event server-started": "서버 시작", "event server-stopped": "서버 멈춤", "event data-replaced": "데이터 교체",
		"event fault-fired": "장애", "event fault-healed": "장애 끝",

		"packet http": "HTTP", "packet open": "열기", "packet close": "닫기", "packet ping": "ping", "packet pong": "pong",
		"packet connect": "연결", "packet disconnect": "연결 해제", "packet event": "이벤트", "packet ack": "승인 응답",
		"packet error": "연결 거부", "packet upgrade": "업그레이드", "packet binary": "바이너리", "packet other": "프레임",

		"reason transport close": "연결이 닫힘", "reason transport error": "연결에 실패함", "reason ping timeout": "ping이 제때 오지 않음",
		"reason io server disconnect": "서버가 연결을 끊음", "reason io client disconnect": "페이지가 연결을 끊음",

		"fault cut": "연결 끊기", "fault reset": "리셋", "fault half-open": "반열림", "fault switch": "네트워크 전환", "fault silence": "무응답",
		"fault heal": "회복", "fault outage": "오프라인", "fault delay": "느림", "fault limit": "제한", "fault idle-close": "유휴 연결 닫기",
		"fault crash": "비정상 종료", "fault restart": "재시작", "fault refresh": "새로고침",

		"anomaly lost": "유실", "anomaly duplicated": "중복", "anomaly reordered": "순서 뒤바뀜", "anomaly phantom": "보낸 적 없음",
		"anomaly unstored": "저장 안 됨", "anomaly stored twice": "두 번 저장됨", "anomaly late": "끝까지 연결 안 됨",
		"anomaly sent again": "다시 보냄",

		"key message": "메시지", "key frame": "그 밖의 프레임", "key lost frame": "도중에 유실됨", "key elsewhere": "보낸 것은 생략함",
		"key estimated": "메시지 (서버에 도착한 시각은 추정)", "key unknown": "어디까지 전달됐는지 알 수 없음",
		"key page": "열린 페이지", "key connected": "연결됨", "key disconnected": "연결 안 됨", "key connection": "연결",
		"key half-open": "클라이언트 쪽만 닫힘(반열림)", "key session": "보관된 세션", "key fault": "장애", "key row": "로그의 행",
		"key waits": "페이지에서 대기", "key offset": "페이지의 오프셋", "key sent": "보냄", "key shown": "표시함", "key acknowledged": "승인 응답",
		"key server": "실행 중인 서버", "key lasting": "이어지는 장애", "key connect": "연결함",
		"key never shown": "이 페이지에 표시되지 않음", "key stuck": "지금은 전달되지 않음", "key break": "끊김",
		"plot messages": "로그의 메시지 수", "plot bytes": "바이트", "plot ms": "밀리초", "plot step": "%s단계",
	},
}

var koreanRules = map[contract.RuleID]string{
	"no-phantom":   "페이지는 클라이언트가 보낸 메시지만, 내용을 바꾸지 않고 표시합니다.",
	"no-duplicate": "페이지는 같은 메시지를 두 번 표시하지 않습니다.",
	"order":        "한 클라이언트가 보낸 메시지는 보낸 순서대로 저장되고 표시됩니다. 로그가 있으면 페이지는 모든 메시지를 로그의 순서대로 표시합니다.",
	"no-loss":      "페이지는 서버의 보장 수준이 약속하는 메시지를 모두 표시합니다.",
	"agreement":    "모든 페이지와, 새 클라이언트가 읽은 로그에는 같은 메시지가 같은 순서로 있습니다.",
	"sends":        "승인 응답을 받은 메시지는 정확히 한 번 저장되며, 두 번 저장되는 메시지는 없습니다.",
	"convergence":  "마지막 장애 뒤 제한 시간 안에 모든 페이지가 다시 연결되고 밀린 메시지를 모두 받습니다.",
	"no-repeat":    "서버는 한 연결에서 같은 메시지를 두 번 보내지 않으며, 페이지의 오프셋 이전 메시지도 보내지 않습니다.",
}

// join leaves out empty parts.
func join(separator string, parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, separator)
}

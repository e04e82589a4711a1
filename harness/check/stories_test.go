package check

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

// story reads a history from one line. An event is its kind, then its clients; or one client
// and its messages, one event each. A message may have its offset (m@7), a client its view
// (bob#2), and "+2m" is time that passes. A name with an event about its page is a page. The
// client tab is a tab of alice. The last event is Ended.
func story(text string) (events []history.Event) {
	var now plan.Duration
	tabs := &plan.Plan{Clients: []plan.Client{{Name: "alice"}, {Name: "tab", TabOf: "alice"}}}
	for line := range strings.SplitSeq(text, ";") {
		line, detail, _ := strings.Cut(line, "(")
		words := strings.Fields(line)
		if later, err := time.ParseDuration(words[0]); err == nil {
			now += plan.Duration(later)
			continue
		}
		e := history.Event{At: now, Kind: history.Kind(words[0]), Detail: strings.TrimSuffix(detail, ")")}
		page := func(word string) {
			e.View = 1
			fmt.Sscanf(strings.Replace(word, "#", " ", 1), "%s %d", &e.Client, &e.View)
		}
		message := func(word string) {
			e.Message, e.Offset = "", 0
			fmt.Sscanf(strings.Replace(word, "@", " ", 1), "%s %d", &e.Message, &e.Offset)
		}
		add := func(words []string, each func(word string)) {
			for _, word := range words {
				each(word)
				events = append(events, e)
			}
		}
		switch e.Kind {
		case history.Began:
			e.Level, e.Plan = contract.Level(words[1]), tabs
			e.NoEcho, e.KeepsLog = strings.Contains(line, "no-echo"), strings.Contains(line, "keeps-log")
			events = append(events, e)
		case history.Found, history.Stored:
			add(words[1:], message)
		case history.Sent, history.Acknowledged, history.Refused, history.Shown, history.Removed, history.Repeated:
			page(words[1])
			add(words[2:], message)
		case history.Opened, history.Connected, history.Disconnected, history.Closed, history.Suspended, history.Resumed:
			add(words[1:], page)
		case history.ServerStarted, history.ServerStopped:
			add(append(words, "")[1:max(2, len(words))], func(word string) { e.Node = word })
		case history.FaultFired, history.FaultHealed: // of a link of bob that goes silent
			e.Fault = "silence"
			tabs.Faults = []plan.Fault{{ID: e.Fault, Kind: plan.Silence, Client: "bob"}}
			events = append(events, e)
		default:
			events = append(events, e)
		}
	}
	if !strings.Contains(text, "; ended") {
		events = append(events, history.Event{At: now, Kind: history.Ended})
	}
	return events
}

// blamed lists the findings: the rule, the page or the log, the message and the other one.
func blamed(v Verdict) string {
	var all []string
	for _, f := range v.Findings {
		who := "log"
		if f.Client != "" {
			who = f.Client
		}
		all = append(all, strings.Join(strings.Fields(fmt.Sprint(f.Rule, " ", who, " ", f.Message, " ", f.Other)), " "))
	}
	return strings.Join(all, "; ")
}

var namedEvent = regexp.MustCompile(`events? (\d+)`)

// TestStories has a short history for each clause of the package doc of which a change to the
// judge showed that no other test covers it.
func TestStories(t *testing.T) {
	for _, c := range []struct{ rule, story, blamed, says string }{
		// When a message is at rest, and where it is due.
		{"a page that was sent a message before its sender was blocked is entitled to it",
			"began client-delivery; connected alice bob; sent alice m; acknowledged alice m; shown alice m; barrier; closed bob; suspended alice; barrier; resumed alice; stored m; log-read",
			"no-loss bob m", ""},
		{"a block of an earlier connection says nothing about a later one",
			"began client-delivery; connected alice bob; suspended alice; barrier; disconnected alice; sent alice m; barrier; closed bob; connected alice; barrier; acknowledged alice m; shown alice m; stored m; log-read",
			"", ""},
		{"a connection may have ended when the first of two blocks began",
			"began recovery; connected alice bob; suspended bob; 100s; fault-fired; 1s; disconnected bob(ping timeout); sent alice m; shown alice m; 30s; fault-healed; connected bob; barrier",
			"", ""},
		{"a page that was opened after the restart is on the server that runs",
			"began recovery; server-started; server-stopped; server-started; opened bob; connected bob alice; disconnected bob; sent alice m; shown alice m; connected bob; barrier",
			"no-loss bob m", ""},
		{"a message that is stored again after others is not out of order",
			"began basic; connected alice; sent alice m n; acknowledged alice m n; shown alice m n; stored m n m; log-read",
			"sends log m", ""},
		// Messages that may have gone with the server's data.
		{"without an echo, a message from before the run that a page shows afterwards has not",
			"began server-delivery no-echo; found old; connected alice bob; data-replaced; shown alice old; barrier",
			"no-loss bob old", ""},
		{"one that was at rest only in a later connection is not due in an earlier one",
			"began basic; connected alice bob; sent alice m; disconnected alice; barrier; disconnected bob; connected bob; acknowledged alice m; connected alice; sent alice n; shown alice n; shown bob n; barrier; data-replaced; barrier",
			"", ""},
		{"one is not due on a page that was blocked until then",
			"began basic; connected alice bob; sent alice m; acknowledged alice m; shown alice m; suspended bob; barrier; data-replaced; resumed bob; barrier",
			"", ""},
		{"or disconnected",
			"began recovery; connected alice bob; disconnected bob; sent alice m; acknowledged alice m; shown alice m; barrier; data-replaced; connected bob; barrier",
			"", ""},
		// A phantom that stands for a missing message.
		{"the sender's message before the missing one comes before the phantom; one that is nowhere does not count",
			"began basic; connected alice; sent alice a b; shown alice a; disconnected alice; connected alice; sent alice c; acknowledged alice c; stored ghost a; log-read",
			"no-phantom log ghost; sends alice c", ""},
		{"the sender's message after the missing one comes after the phantom",
			"began basic; connected alice; sent alice a b; acknowledged alice a; disconnected alice; connected alice; sent alice c; shown alice c; stored c ghost; log-read",
			"no-phantom log ghost; sends alice a", ""},
		{"a refused message that is stored is a phantom, and no neighbour",
			"began basic; connected alice; sent alice a b c; refused alice b; acknowledged alice a c; shown alice c; stored b c; log-read",
			"no-phantom log b", ""},
		{"a phantom stands for the message that was sent first, not for the first row",
			"began server-delivery; connected carol; sent alice m1; sent bob m2; shown carol ghost; stored m2 m1; log-read",
			"no-phantom carol ghost m1; no-loss carol m2", ""},
		{"a phantom may stand for a row from before the run",
			"began server-delivery; found old; connected bob; sent bob m; shown bob ghost m; stored old m; log-read",
			"no-phantom bob ghost", ""},
		{"without a log, a message that nobody acknowledged is altered on its sender's page",
			"began basic; connected alice; sent alice m1 m2; acknowledged alice m1; shown alice ghost; barrier",
			"no-phantom alice ghost m1", ""},
		{"and on no other page", "began basic; connected bob alice; sent alice m; shown alice ghost; barrier", "no-phantom alice ghost m", ""},
		{"one row stands for one message of all senders",
			"began basic; connected alice bob; sent alice m; sent bob n; acknowledged alice m; acknowledged bob n; barrier; stored ghost; log-read",
			"no-phantom log ghost m; sends bob n", ""},
		{"each phantom names the message that it stands for",
			"began basic; connected alice bob; sent alice m1 m2; shown alice m1 m2; shown bob g1 g2; barrier",
			"no-phantom bob g1 m1; no-phantom bob g2 m2", ""},
		{"without an echo, nothing is missing on the sender's page", "began basic no-echo; connected alice; sent alice m; shown alice ghost; barrier", "no-phantom alice ghost", ""},
		{"but on the others", "began basic no-echo; connected alice bob; sent alice m; shown bob ghost; barrier", "no-phantom bob ghost m", ""},
		{"and a row from before the run has no sender", "began server-delivery no-echo; found old; connected alice bob; sent alice m; shown alice old; shown bob ghost m; stored old m; log-read", "no-phantom bob ghost", ""},

		// When a message is at rest.
		{"at a barrier at which any page of the browser is connected",
			"began durable-delivery; connected alice tab bob; sent tab m; acknowledged tab m; disconnected tab; barrier; closed bob; connected tab; shown alice m; shown tab m",
			"no-loss bob m", ""},
		{"not below durable-delivery, where the message is in its own page",
			"began client-delivery; connected alice tab bob; disconnected tab; sent tab m; barrier; closed bob; connected tab; shown alice m; shown tab m", "", ""},
		{"whichever page was opened first",
			"began durable-delivery; opened alice; connected bob alice; sent alice m; acknowledged alice m; disconnected alice; connected tab; barrier; closed bob; connected alice; shown alice m; shown tab m",
			"no-loss bob m", ""},
		{"and once all pages are gone; a view without a page does not count",
			"began client-delivery; connected alice bob; sent alice m; acknowledged alice m; closed alice; shown alice#2 m; barrier; closed bob", "no-loss bob m", ""},
		{"and a page is gone from its first Closed on",
			"began client-delivery; connected alice bob; sent alice m; acknowledged alice m; closed alice; barrier; closed bob; closed alice", "no-loss bob m", ""},
		{"not while all pages are disconnected",
			"began client-delivery; connected alice bob; sent alice m; acknowledged alice m; disconnected alice; barrier; closed bob", "convergence alice", ""},
		{"not in a connection without a barrier, but in a later one",
			"began client-delivery; connected alice bob carol; sent alice m; acknowledged alice m; disconnected alice; barrier; connected alice; disconnected alice; barrier; closed bob; connected alice; barrier; closed carol; shown alice m",
			"no-loss carol m", ""},
		{"at the next barrier if no page sent it",
			"began basic; connected bob; opened alice; sent alice#2 m; acknowledged alice#2 m; barrier; closed bob; connected alice", "no-loss bob m", ""},
		{"not by a later message if it was never shown nor acknowledged",
			"began recovery; connected alice bob; sent alice m; disconnected alice; barrier; connected alice; stored m; log-read", "", ""},
		{"nor by itself if a page showed it before the history has it as sent",
			"began recovery; connected alice bob; shown carol m; sent alice m; disconnected alice; barrier; connected alice", "", ""},

		// What must be known, and what exists.
		{"durable: a browser with any page up", "began durable-delivery; connected alice tab; sent tab m; closed tab; barrier", "no-loss tab m", ""},
		{"without an echo, the log must have it all the same", "began recovery no-echo; connected alice bob; sent alice m; barrier; log-read", "no-loss alice m", ""},
		{"without an echo, what was not sent in health may not exist", "began basic no-echo; connected alice bob; disconnected alice; sent alice m; connected alice; barrier", "", ""},
		{"without an echo, what was refused does not exist", "began basic no-echo; connected alice bob; sent alice m; refused alice m; barrier", "", ""},
		{"the log is read up to the last mark that it holds",
			"began server-delivery; connected alice; sent lab mark1; sent alice m; acknowledged alice m; disconnected alice; sent lab mark2; barrier; connected alice; shown alice mark1; stored mark1; log-read", "", ""},
		{"what was sent after that mark need not be in it",
			"began server-delivery; connected alice; sent lab mark; sent alice m; shown alice m mark; stored mark; log-read", "", ""},
		{"a page that connects after Ended has no barrier that names a loss", "began client-delivery; opened alice; sent alice m; ended; connected alice", "no-loss alice m", ""},
		{"without a log, nobody owes what was known before the data was replaced",
			"began server-delivery; connected alice bob; sent alice m n; acknowledged alice m n; shown alice m; data-replaced; barrier", "", ""},
		{"with a log, all owe what it has",
			"began basic; connected alice bob; sent alice m; shown alice m; data-replaced; barrier; stored m; log-read", "no-loss bob m", ""},
		{"what is sent again may have another place and offset in the new log",
			"began server-delivery; connected alice bob; sent alice m; sent bob n; shown alice m@1 n@2; shown bob m@1 n@2; data-replaced; acknowledged bob n; acknowledged alice m; shown alice n@1 m@2; shown bob n@1 m@2; barrier; stored n@1 m@2; log-read",
			"no-duplicate alice m; no-duplicate alice n; no-duplicate bob m; no-duplicate bob n", ""},

		{"without a log, what was at rest on a page before that is owed",
			"began server-delivery; connected alice bob; sent alice m; shown alice m; barrier; data-replaced; barrier", "no-loss bob m", ""},
		{"with a log, too",
			"began basic; connected alice bob; sent alice m; shown alice m; barrier; data-replaced; barrier; log-read", "no-loss bob m", ""},
		{"but not by a page that came back after it",
			"began recovery; connected alice bob; sent alice m; disconnected bob; shown alice m; barrier; data-replaced; connected bob; barrier", "", ""},

		// A connection that may have ended unnoticed.
		{"a page whose link is silent to the end owes nothing", "began server-delivery; connected alice bob; fault-fired; sent alice m; shown alice m; barrier", "", ""},
		{"one whose link was repaired does", "began basic; connected alice bob; fault-fired; sent alice m; shown alice m; fault-healed; barrier", "no-loss bob m", ""},
		{"what it sent may be lost", "began client-delivery; connected alice bob; fault-fired; sent bob m; barrier", "", ""},
		{"what was sent to a server that is paused may be lost", "began basic; connected alice; server-stopped (paused); sent alice m; barrier", "", ""},
		{"unless the server goes on", "began basic; connected alice; server-stopped (paused); sent alice m; server-started; barrier", "no-loss alice m", ""},
		{"unless it was at rest on a page before that, without an echo",
			"began server-delivery no-echo; connected alice; sent alice m; barrier; server-stopped; disconnected alice; data-replaced; server-started; connected alice; sent lab mark; shown alice mark; barrier; stored mark; log-read", "", ""},
		{"nor is what a page took along with it that was sent offline",
			"began client-delivery no-echo; connected alice bob; disconnected alice; sent alice m; closed alice; barrier; data-replaced; sent lab mark; shown bob mark; barrier; stored mark; log-read", "", ""},
		{"a barrier while its link was silent proves nothing, even after the repair",
			"began basic; connected alice bob carol; fault-fired; sent bob m; barrier; closed carol; fault-healed; shown alice m; shown bob m; barrier", "", ""},
		{"nor for what others sent", "began basic; connected alice bob; fault-fired; sent alice m; shown alice m; barrier; fault-healed; closed bob", "", ""},
		{"nor for its browser", "began durable-delivery; connected bob carol; fault-fired; sent bob m; barrier; closed carol; fault-healed; shown bob m", "", ""},
		{"but the next one does", "began basic; connected alice bob; fault-fired; sent alice m; shown alice m; barrier; fault-healed; barrier; closed bob", "no-loss bob m", ""},
		{"what was sent to a cluster that is paused may be lost", "began basic; server-started a b; connected alice; server-stopped a b (paused); sent alice m; barrier", "", ""},
		{"or of which one server is paused and the other has stopped", "began basic; server-started a b; connected alice; server-stopped b (paused); server-stopped a; sent alice m; barrier", "", ""},
		{"whatever its services do", "began basic; server-started a b; connected alice; server-stopped redis; server-started redis; server-stopped a b (paused); sent alice m; barrier", "", ""},
		{"and they are no servers", "began basic; server-started a b; connected alice; server-stopped redis a (paused); sent alice m; barrier", "no-loss alice m", ""},
		{"unless one of its servers goes on", "began basic; server-started a b; connected alice; server-stopped a (paused); sent alice m; barrier", "no-loss alice m", ""},
		{"a page that is suspended at the end owes nothing", "began basic; connected alice bob; suspended bob; sent alice m; shown alice m; barrier", "", ""},

		// Which connections recovery joins.
		{"none to a server that was down", "began recovery; connected alice bob; server-stopped; disconnected bob; connected bob; server-started; disconnected bob; sent alice m; connected bob; shown alice m; barrier", "", ""},
		{"none over a stop", "began recovery; connected alice bob; server-stopped; disconnected alice bob; server-started; connected alice; sent alice m; shown alice m; connected bob; barrier", "", ""},
		{"none that the server ended", "began recovery; connected alice bob; disconnected bob (io server disconnect); sent alice m; shown alice m; connected bob; barrier", "", ""},
		{"none after exactly the limit", "began recovery; connected alice bob; disconnected bob; sent alice m; shown alice m; +2m; connected bob; barrier", "", ""},
		{"none of a page that was suspended for the limit", "began recovery; connected alice bob; suspended bob; sent alice m; shown alice m; +2m; disconnected bob; connected bob; barrier", "", ""},
		{"one that was up at a barrier after it was suspended", "began recovery; connected alice bob; suspended bob; +2m; resumed bob; barrier; sent alice m; shown alice m; disconnected bob; connected bob; barrier", "no-loss bob m", ""},
		{"none of a page that was suspended at the barrier", "began recovery; connected alice bob; suspended bob; +2m; barrier; sent alice m; shown alice m; disconnected bob; connected bob; barrier", "", ""},
		{"none of a page whose link was silent for the limit", "began recovery; connected alice bob; fault-fired; +2m; disconnected bob; fault-healed; sent alice m; shown alice m; connected bob; barrier", "", ""},
		{"one whose link was silent until a barrier", "began recovery; connected alice bob; fault-fired; +2m; fault-healed; barrier; disconnected bob; sent alice m; shown alice m; connected bob; barrier", "no-loss bob m", ""},
		{"one that was suspended in the connection before", "began recovery; connected alice bob; suspended bob; disconnected bob; +2m; connected bob; disconnected bob; sent alice m; shown alice m; connected bob; barrier", "no-loss bob m", ""},
		{"all of a server that stopped before the page tried",
			"began recovery; connected alice; opened bob; connected bob; server-stopped; server-started; disconnected bob; connected bob; disconnected bob; sent alice m; connected bob; shown alice m; barrier",
			"no-loss bob m", ""},
		{"none of a page that a newer one replaced", "began recovery; connected alice bob bob#2; sent alice m; shown alice m; shown bob#2 m; barrier", "", ""},

		// The words for them.
		{"due at the next barrier at which the page is connected", "began recovery; connected alice bob; disconnected bob; sent alice m; shown alice m; barrier; connected bob; barrier",
			"no-loss bob m", `event 9: no-loss: bob's page (view 1) does not show "m": expected to be shown by event 9`},
		{"a break after that does not count", "began recovery; connected alice bob; sent alice m; shown alice m; barrier; disconnected bob; connected bob; barrier", "no-loss bob m", "and stayed connected"},
		{"two breaks", "began recovery; connected alice bob; disconnected bob; sent alice m; shown alice m; connected bob; disconnected bob; connected bob; barrier",
			"no-loss bob m", "(events 4 to 7) in which it was sent (event 5), and those until event 9"},
		{"a break without a Disconnected", "began recovery; connected alice bob; sent alice m; connected bob; shown alice m; barrier", "no-loss bob m", "(events 5 to 5)"},
		{"a log that was not read", "began server-delivery keeps-log; connected alice; sent alice m; shown alice m; timed-out (the end of the log)", "", "not read to its end (the end of the log)"},
		{"rows that were not read to their end", "began server-delivery; connected alice; sent alice m; shown alice m; stored m", "", "not read to its end"},
		{"why it is promised without an echo and a log", "began client-delivery no-echo; connected alice bob; disconnected alice; sent alice m; connected alice",
			"no-loss bob m", `promises it for what was sent (event 5) on a page that is open`},
		{"more often than before", "began basic; found m m; sent bob n; connected alice; shown alice m m m m; stored m m m n; log-read",
			"no-duplicate alice m; sends log m", "3 times, as often as…2 times, as before the run"},
		{"sent again", "began recovery; connected alice; sent alice m; shown alice m; repeated alice m; barrier", "no-repeat alice m", `was sent "m" again`},
		{"disconnected by the server", "began basic; connected alice bob; sent alice m; shown alice m; shown bob m; disconnected bob (io server disconnect); barrier",
			"convergence bob", "the server disconnected it (event 7)"},

		// Copies and offsets.
		{"what is found after it was sent is no row from before", "began basic; sent alice m; sent lab mark; found mark mark; stored m mark mark; log-read", "sends log mark", ""},
		{"a page fills two holes, and shows the first again",
			"began basic; sent a x; sent b y; sent c z; shown p x; shown q y; shown r z; shown bob z x y x", "no-duplicate bob x", ""},
		{"the first page with a wrong offset is blamed", "began server-delivery; connected alice bob carol; sent alice m; shown alice m@1; shown bob m@2; shown alice#2 m@1; shown carol m@2; stored m@1; log-read", "agreement bob m", ""},
		{"a row without an offset does not excuse", "began server-delivery; connected alice; sent alice m; shown alice m@5; stored m@1 m; log-read", "agreement alice m; sends log m", ""},

		// What a page has removed from its list.
		{"a message that was removed", "began server-delivery; connected alice bob; sent alice m n; shown alice m n; shown bob m n; barrier; removed bob m; stored m n; log-read",
			"no-loss bob m", "had removed it when the run ended (event 11)"},
		{"not below server-delivery", "began recovery; connected alice bob; sent alice m; shown alice m; shown bob m; barrier; removed bob m", "", ""},
		{"not on a page that was closed before, or is not connected",
			"began server-delivery; connected alice bob carol; sent alice m n; shown alice m n; shown bob m n; shown carol m n; barrier; closed bob; fault-fired; disconnected carol; removed bob m; removed carol m; stored m n; log-read", "convergence carol", ""},
		{"also its own, without an echo", "began server-delivery no-echo; connected alice bob; sent alice m; shown bob m; barrier; removed alice m; stored m; log-read", "no-loss alice m", ""},
		{"not if the page had to begin anew with another log",
			"began server-delivery; connected alice bob; sent alice m n; shown alice m; shown bob m; data-replaced; barrier; removed alice m; removed bob m; shown alice n; shown bob n; stored n; log-read", "", ""},

		// Orders. The message that the history names first has the index 0.
		{"a page is not blamed for the log's order", "began basic; shown bob a2; sent alice a1 a2; shown carol a1 a2; stored a2 a1; log-read", "order log a1 a2", ""},
		{"the order of a view comes before that of its client", "began durable-delivery; shown bob a2; sent alice a1 a2; sent alice#2 b1; stored b1 a2 a1; log-read", "order log a2 b1; order log a1 a2", ""},
		{"the page that sent it is blamed at what it shows", "began basic; sent bob b1 b2; shown alice b2 b1; shown bob b2 b1", "order bob b1 b2; order alice b1 b2", ""},
		{"what was there before the run has no order", "began basic; found old; sent alice a1; shown bob old a1", "", ""},
		{"what breaks order is not blamed for a contradiction",
			"began basic; shown carol a2; sent alice a1 a2; sent bob b; shown dave a1 b; shown erin b a1; shown carol b a1", "order carol a1 a2; agreement erin a1 b", ""},
		{"and makes none",
			"began basic; shown y a2; sent alice a1 a2; sent bob p; sent carol q; sent dave s; shown v1 p q; shown v2 q p; shown v3 a1 s; shown v4 s a1; shown v5 a1 p; shown y p a1",
			"order y a1 a2; agreement v2 p q; agreement v4 a1 s", ""},
		{"messages outside of the contradiction are in order",
			"began basic; sent alice y; sent bob x; sent erin u; sent frank w; sent gina a; shown p a; shown carol x y; shown dave y x; shown q y a; shown r y u; shown t y w; shown s w u", "agreement dave x y", ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			events := story(c.story)
			v := Judge(events)
			if got := blamed(v); got != c.blamed {
				t.Errorf("blamed %q, want %q\n%s%s", got, c.blamed, verdictText(v), listing(events))
			}
			text := v.Reason
			for _, f := range v.Findings {
				text += fmt.Sprintf("\nevent %d: %s", number(f.Event), f)
				if f.Event < -1 || f.Event >= len(events) {
					t.Fatalf("there is no event %d: %s", f.Event, f)
				}
				if onPage := f.Client != ""; (f.Anomaly == Reordered || f.Anomaly == Phantom) && (events[f.Event].Kind == history.Shown) != onPage {
					t.Errorf("event %d does not show it: %s", f.Event, f)
				}
				for _, n := range namedEvent.FindAllStringSubmatch(f.Expected+f.Observed, -1) {
					named := f.Event
					for _, e := range f.Named {
						if fmt.Sprint(number(e)) == n[1] {
							named = e
						}
					}
					if fmt.Sprint(number(named)) != n[1] {
						t.Errorf("event %s is not among %v: %s", n[1], f.Named, f)
					}
				}
			}
			for part := range strings.SplitSeq(c.says, "…") {
				if !strings.Contains(text, part) {
					t.Errorf("%q is not in\n%s", part, text)
				}
			}
			if c.blamed == "" && c.says == "" && (v.Outcome != Pass || v.Rule() != "") {
				t.Errorf("%s: %s", v.Outcome, v.Reason)
			}
		})
	}
}

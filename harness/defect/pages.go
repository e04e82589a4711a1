package defect

import "redial/harness/contract"

// Changes to the reference page of a level.
var (
	// ShowsAll makes the page show every message that it receives and set its offset to that
	// message's, forward or back, as the published tutorial's page does.
	ShowsAll = []Change{{"if (offset <= socket.auth.serverOffset) return;", ""}}
	// CountsKeys is what the published tutorial adds at step 8. The page sends a message again
	// at most three times, with a key made of the connection's id and a counter. While the
	// page is offline it has no such id.
	CountsKeys = append([]Change{
		{"retries: Infinity", "retries: 3"}, {"ackTimeout: 3000", "ackTimeout: 10000"},
		{"socket.timeout(3000 + new TextEncoder().encode(text).length).emit", "socket.timeout(10000).emit"},
		{"function newKey() {", "let counter = 0;\nfunction newKey() {\nreturn `${socket.id}-${counter++}`;"},
	}, ShowsAll...)

	// noRetries makes step 8's page send a message once.
	noRetries = []Change{{", ackTimeout: 3000, retries: Infinity", ""}, {"socket.timeout(3000 + new TextEncoder().encode(text).length).emit", "socket.emit"}}

	asksForNothing = []Change{{"socket.emit(\"chat message\", input.value, (answer) => {", "socket.emit(\"chat message\", input.value); ((answer) => {"}}
)

// onConnect has the page do something else as well at each connect.
func onConnect(script string) []Change {
	return []Change{{`socket.on("connect", () => {`, "socket.on(\"connect\", () => {\n" + script}}
}

// pages lists the broken pages. Their servers are correct.
var pages = []Defect{
	{
		Name: "offset-first", Sentence: "The page moves its offset when a message comes and shows it up to 300 ms later; what it has not shown when it loses the connection it forgets.",
		Source: "batched drawing", Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "drops-under-traffic", New: Right,
		Page: []Change{
			{"        show(text);\n", "        batch.push(text);\n"},
			{`socket.on("disconnect", () => {`, "let batch = [];\nsetInterval(() => { batch.forEach(show); batch = []; }, 300);\nsocket.on(\"disconnect\", () => {\nbatch = [];"},
		},
	},
	{
		Name: "offset-never-moves", Sentence: "The page connects with offset 0 each time, and shows everything again.",
		Source: "auth: { serverOffset } as a value that is read once", Level: contract.ServerDelivery, Rule: contract.NoDuplicate, Scenario: "clean-drop", New: Right,
		Page: append([]Change{{"        socket.auth.serverOffset = offset;\n", ""}}, ShowsAll...),
	},
	{
		Name: "offset-in-storage", Sentence: "The page keeps its offset in localStorage and its list nowhere, so after a refresh it never shows what came before.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "refresh", New: Right,
		Page: []Change{
			{"auth: { serverOffset: 0 }", `auth: { serverOffset: Number(localStorage.getItem("serverOffset")) || 0 }`},
			{"        socket.auth.serverOffset = offset;\n", "        socket.auth.serverOffset = offset;\n        localStorage.setItem(\"serverOffset\", offset);\n"},
		},
	},
	{
		Name: "offset-of-another-tab", Sentence: "The tabs of a browser share one offset, and one of them asks from where another one is.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "two-tabs-write-offline", New: Right,
		Page: []Change{
			{"        socket.auth.serverOffset = offset;\n", "        socket.auth.serverOffset = offset;\n        localStorage.setItem(\"serverOffset\", offset);\n"},
			{"auth: { serverOffset: 0 } });", "auth: { serverOffset: 0 } });\nsocket.io.on(\"reconnect_attempt\", () => {\nsocket.auth.serverOffset = Number(localStorage.getItem(\"serverOffset\")) || 0;\n});"},
		},
	},
	{
		Name: "offset-as-text", Sentence: "The page compares offsets as text, so it drops 10 after 9.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "five-drops", New: Right,
		Page: []Change{{"offset <= socket.auth.serverOffset", "String(offset) <= String(socket.auth.serverOffset)"}},
	},
	{
		Name: "list-emptied", Sentence: "The page empties its list at each connect, asks for what is behind its offset, and then shows only what it had missed.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.NoLoss, Scenario: "clean-drop", New: Right,
		Page: onConnect(`messages.textContent = "";`),
	},
	{
		Name: "handlers-again", Sentence: "The page attaches its handler at each connect, so after a reconnect every message is shown twice.",
		Source: "socket.io's documentation, common mistakes: handlers in the listener of connect", Level: contract.ServerDelivery, Rule: contract.NoDuplicate, Scenario: "five-drops", New: Right,
		Page: append([]Change{{`socket.on("chat message", (text, offset) => {`, "socket.on(\"connect\", () => socket.on(\"chat message\", received));\nconst received = ((text, offset) => {"}}, ShowsAll...),
	},
	{
		Name: "shows-before-sent", Sentence: "The page shows what its user says at once, and again when it comes back from the server.",
		Source: "optimistic drawing", Level: contract.ServerDelivery, Rule: contract.NoDuplicate, Scenario: "clean-drop", New: Right,
		Page: []Change{{`        socket.emit("chat message", input.value, (answer)`, "        show(input.value);\n        socket.emit(\"chat message\", input.value, (answer)"}},
	},
	{
		Name: "splits-a-pair", Sentence: "The page cuts each surrogate pair in two, and shows the first half alone.",
		Source: "a text that is cut by its length in UTF-16", Level: contract.ServerDelivery, Rule: contract.NoPhantom, Scenario: "texts", New: Right,
		Page: []Change{{"item.textContent = text;", `item.textContent = text.replace(/[\udc00-\udfff]/g, "");`}},
	},
	{
		Name: "page-trims", Sentence: "The page shows a text without the white space around it.",
		Source: slip, Level: contract.ServerDelivery, Rule: contract.NoPhantom, Scenario: "texts", New: Right,
		Page: []Change{{"item.textContent = text;", "item.textContent = text.trim();"}},
	},
	{
		Name: "receive-buffer", Sentence: "The page keeps the missed events of a recovery that was cut off, and shows them when the next one sends them again.",
		Source: "socket.io-client 4.8", Level: contract.Recovery, Rule: contract.NoDuplicate, Scenario: "cut-in-missed-events", Step: "6",
		Page: []Change{{`socket.io.on("close", () => (socket.receiveBuffer = []));`, ""}},
	},
	{
		Name: "no-retries", Sentence: "The page sends a message once and asks for no second try.",
		Source: "the tutorial, step 7", Level: contract.ClientDelivery, Rule: contract.NoLoss, Scenario: "write-on-dead-connection", Step: "8",
		Page: noRetries,
	},
	{
		Name: "three-retries", Sentence: "The page drops a message after three tries.",
		Source: "the tutorial, step 8 (retries: 3)", Level: contract.ClientDelivery, Rule: contract.NoLoss, Scenario: "four-cuts", Step: "8",
		Page: []Change{{"retries: Infinity", "retries: 3"}},
	},
	{
		Name: "retries-without-timeout", Sentence: "The page asks for retries and names no ackTimeout, so the client takes the answer for an error and sends each message four times.",
		Source: "socket.io-client 4.8", Level: contract.ServerDelivery, Rule: contract.Sends, Scenario: "clean-drop", New: Right,
		Page: []Change{{"io({ auth:", "io({ retries: 3, auth:"}},
	},
	{
		Name: "key-of-the-page", Sentence: "The page counts its keys from 0, and after a refresh uses them again.",
		Source: "the tutorial, step 8 (`${socket.id}-${counter++}`)", Level: contract.ClientDelivery, Rule: contract.Sends, Scenario: "refresh-then-offline", New: Right,
		Page: []Change{{"function newKey() {", "let counter = 0;\nfunction newKey() {\nlocalStorage.id ??= Math.random();\nreturn `${localStorage.id}-${counter++}`;"}},
	},
	{
		Name: "outbox-in-the-page", Sentence: "The page keeps what is not delivered in a variable.",
		Source: "the tutorial, step 8", Level: contract.DurableDelivery, Rule: contract.NoLoss, Scenario: "refresh-with-pending", Step: "10",
		Page: []Change{{"storage = window.localStorage;", "storage = {};"}},
	},
	{
		Name: "outbox-emptied-first", Sentence: "The page takes a message out of its outbox when it sends it, not when it is acknowledged.",
		Source: slip, Level: contract.DurableDelivery, Rule: contract.NoLoss, Scenario: "write-on-dead-connection", Step: "10",
		Page: []Change{{"const text = storage[name];", "const text = storage[name];\ndelete storage[name];"}},
	},
	{
		Name: "outbox-cleared", Sentence: "The page empties the outbox when it is loaded.",
		Source: slip, Level: contract.DurableDelivery, Rule: contract.NoLoss, Scenario: "refresh-with-pending", Step: "10",
		Page: []Change{{"deliver(); // what an earlier page has left", "for (const name of outbox()) delete storage[name];"}},
	},
	{
		Name: "outbox-newest-first", Sentence: "The page delivers its outbox from the newest message to the oldest.",
		Source: slip, Level: contract.DurableDelivery, Rule: contract.Order, Scenario: "write-offline", Step: "10",
		Page: []Change{{".sort();", ".sort().reverse();"}},
	},
	{
		Name: "outbox-counts-anew", Sentence: "The page numbers its outbox from 0 when it is loaded, so what it sends goes before what the page before it has left.",
		Source: slip, Level: contract.DurableDelivery, Rule: contract.Order, Scenario: "refresh-with-pending", Step: "10",
		Page: []Change{
			{`const prefix = "outbox/";`, "const prefix = \"outbox/\";\nlet counted = 0;"},
			{`names.length > 0 ? Number(names[names.length - 1].split("/")[1]) : 0;`, "counted++;"},
		},
	},
	{
		Name: "key-for-each-try", Sentence: "The page draws a new key for each try.",
		Source: slip, Level: contract.DurableDelivery, Rule: contract.Sends, Scenario: "acknowledgement-cut", Step: "10",
		Page: []Change{{`name.split("/")[2]);`, "newKey());"}},
	},
	{
		Name: "other-log", Sentence: "The page does not say which log its offset is of, and goes on in another one.",
		Source: "steps 7 to 9", Level: contract.DurableDelivery, Rule: contract.NoLoss, Scenario: "replaced-database", New: Right,
	},
}

package web

// This file is the table of the behaviour that the package shares with a browser. Each case is the
// body of an async function that calls log(...) and may await. Its output, joined with spaces, is
// compared. server_test.go has the server for the cases. The same table runs in this package's VM
// and in Chromium (chromium_test.go), which shows that "expected" is a browser's behaviour.

type conformanceCase struct {
	name, script, expected string
}

// helpers precedes every script.
const helpers = `
const lines = [];
const log = (...all) => { lines.push(all.join(",")); };
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const ws = location.origin.replace("http", "ws");
const once = (target, type) => new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));
const logged = (target, ...types) => { for (const type of types) target.addEventListener(type, () => log(type)); };
const hex = (data) => Array.from(new Uint8Array(data), (b) => b.toString(16).padStart(2, "0")).join("");
const attempt = (action) => { try { action(); log("no error"); } catch (error) { log(error.name); } };
const request = (method, path, prepare) => {
  const xhr = new XMLHttpRequest();
  xhr.open(method, path);
  if (prepare) prepare(xhr);
  return xhr;
};
`

var conformance = []conformanceCase{
	// Timers and tasks.
	// Time may pass between two statements, so a timer that has to fire first is due a minute
	// earlier, or is set first as well.
	{"timers fire by due time", `const late = setTimeout(log, 60000, "c"); setTimeout(log, 10, "a"); setTimeout(log, 20, "b"); await sleep(30); clearTimeout(late)`, "a b"},
	{"equal timers fire in the order set", `for (let i = 0; i < 20; i++) setTimeout(log, 5, i); await sleep(30)`, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19"},
	{"clearTimeout", `clearTimeout(setTimeout(log, 0, "never")); await sleep(20); log("end")`, "end"},
	{"clearTimeout of a timer that is due too", `let id; setTimeout(() => clearTimeout(id), 5); id = setTimeout(log, 5, "never"); await sleep(20); log("end")`, "end"},
	{"clearTimeout of nonsense", `clearTimeout(undefined); clearTimeout(99999); clearTimeout("x"); log("fine")`, "fine"},
	{"setInterval until cleared", `
		await new Promise((third) => { let n = 0; const id = setInterval(() => { log(++n); if (n === 3) { clearInterval(id); third(); } }, 5); });
		await sleep(20)`, "1 2 3"},
	{"a delay is a 32-bit number", `setTimeout(log, 4294967296, "wrapped"); setTimeout(log, -5, "negative"); setTimeout(log, "soon", "text"); await sleep(20)`, "wrapped negative text"},
	{"timer arguments and this", `setTimeout(function (a, b) { log(a, b, this === window); }, 0, 1, 2); await sleep(10)`, "1,2,true"},
	{"nested timers are clamped to 4 ms", `
		const begin = performance.now();
		await new Promise((resolve) => { let n = 0; (function again() { if (++n === 15) resolve(); else setTimeout(again, 0); })(); });
		log(performance.now() - begin >= 30)`, "true"},
	{"microtasks before the next task", `setTimeout(log, 0, "task"); queueMicrotask(() => log("micro")); Promise.resolve().then(() => log("promise")); log("now"); await sleep(10)`, "now micro promise task"},
	{"microtasks between two timers", `setTimeout(() => { log("1"); queueMicrotask(() => log("m1")); }, 5); setTimeout(() => log("2"), 5); await sleep(20)`, "1 m1 2"},
	{"microtasks after a timer that throws", `window.onerror = () => true; setTimeout(() => { queueMicrotask(() => log("micro")); throw new Error("x"); }, 0); setTimeout(log, 0, "next"); await sleep(20); window.onerror = null`, "micro next"},
	{"microtasks between two listeners of a native event", `
		const socket = new WebSocket(ws + "/ws/echo");
		socket.addEventListener("open", () => { log("1"); queueMicrotask(() => log("m")); });
		socket.addEventListener("open", () => log("2"));
		await once(socket, "open"); socket.close()`, "1 m 2"},
	{"no microtasks between two listeners of a scripted event", `
		const target = new EventTarget();
		target.addEventListener("x", () => { log("1"); queueMicrotask(() => log("m")); });
		target.addEventListener("x", () => log("2"));
		target.dispatchEvent(new Event("x")); await sleep(0)`, "1 2 m"},
	{"uncaught errors reach window", `
		const fired = new Promise((resolve) => window.addEventListener("error", (event) => { event.preventDefault(); log(event.error.message); resolve(); }, { once: true }));
		setTimeout(() => { throw new TypeError("oops"); }, 0); await fired`, "oops"},
	{"unhandled rejections reach window", `
		const fired = new Promise((resolve) => window.addEventListener("unhandledrejection", (event) => { event.preventDefault(); log(event.reason.message); resolve(); }, { once: true }));
		Promise.reject(new Error("oops")); await fired`, "oops"},
	{"handled rejections do not", `
		window.addEventListener("unhandledrejection", (event) => log("unhandled"));
		Promise.reject(new Error("x")).catch(() => log("caught")); await sleep(10)`, "caught"},

	// Events.
	{"listeners in order, once, removed", `
		const target = new EventTarget(), gone = () => log("gone");
		target.addEventListener("x", () => log("a")); target.addEventListener("x", gone);
		target.addEventListener("x", () => log("b"), { once: true }); target.removeEventListener("x", gone);
		target.dispatchEvent(new Event("x")); target.dispatchEvent(new Event("x"))`, "a b a"},
	{"a listener is added once", `const target = new EventTarget(), f = () => log("f"); target.addEventListener("x", f); target.addEventListener("x", f); target.dispatchEvent(new Event("x"))`, "f"},
	{"a listener removed by an earlier one does not run", `
		const target = new EventTarget(), second = () => log("second");
		target.addEventListener("x", () => { log("first"); target.removeEventListener("x", second); });
		target.addEventListener("x", second); target.dispatchEvent(new Event("x"))`, "first"},
	{"capture, target, bubble", `
		const outer = document.createElement("div"), innermost = document.createElement("p"); outer.append(innermost);
		outer.addEventListener("x", (e) => log("bubble", e.eventPhase)); outer.addEventListener("x", (e) => log("capture", e.eventPhase), true);
		innermost.addEventListener("x", (e) => log("target", e.eventPhase, e.target === innermost, e.currentTarget === innermost));
		innermost.dispatchEvent(new Event("x", { bubbles: true }))`, "capture,1 target,2,true,true bubble,3"},
	{"events that do not bubble do not", `
		const outer = document.createElement("div"), innermost = document.createElement("p"); outer.append(innermost);
		outer.addEventListener("x", () => log("outer")); innermost.addEventListener("x", () => log("inner"));
		innermost.dispatchEvent(new Event("x"))`, "inner"},
	{"bubbling reaches document and window", `
		const p = document.createElement("p"); document.body.append(p);
		document.addEventListener("ping", () => log("document")); window.addEventListener("ping", () => log("window"));
		p.dispatchEvent(new Event("ping", { bubbles: true })); p.remove()`, "document window"},
	{"stopPropagation and stopImmediatePropagation", `
		const outer = document.createElement("div"), innermost = document.createElement("p"); outer.append(innermost);
		outer.addEventListener("x", () => log("outer"));
		innermost.addEventListener("x", (e) => { log("1"); e.stopPropagation(); });
		innermost.addEventListener("x", (e) => { log("2"); e.stopImmediatePropagation(); });
		innermost.addEventListener("x", () => log("3"));
		innermost.dispatchEvent(new Event("x", { bubbles: true }))`, "1 2"},
	{"preventDefault", `
		const target = new EventTarget(); target.addEventListener("x", (e) => e.preventDefault());
		log(target.dispatchEvent(new Event("x", { cancelable: true }))); log(target.dispatchEvent(new Event("x")))`, "false true"},
	{"an on-handler keeps its place", `
		const p = document.createElement("p");
		p.onclick = () => log("handler"); p.addEventListener("click", () => log("listener")); p.onclick = () => log("new handler"); p.click()`, "new handler listener"},
	{"an on-handler that returns false prevents", `const p = document.createElement("p"); p.onclick = () => false; log(p.dispatchEvent(new Event("click", { cancelable: true })))`, "false"},
	{"a listener that throws does not stop the next", `window.onerror = () => true; const t = new EventTarget(); t.addEventListener("x", () => { throw new Error("x"); }); t.addEventListener("x", () => log("next")); t.dispatchEvent(new Event("x")); window.onerror = null`, "next"},
	{"handleEvent objects", `const t = new EventTarget(); t.addEventListener("x", { handleEvent(e) { log(e.type); } }); t.dispatchEvent(new CustomEvent("x", { detail: 1 }))`, "x"},
	{"CustomEvent detail", `const t = new EventTarget(); t.addEventListener("x", (e) => log(e.detail.a)); t.dispatchEvent(new CustomEvent("x", { detail: { a: 1 } }))`, "1"},

	// The document.
	{"textContent is never HTML", `const p = document.createElement("p"); p.textContent = "<b>&amp;</b>"; log(p.textContent, p.children.length, p.childNodes.length)`, "<b>&amp;</b>,0,1"},
	{"textContent of a tree", `const p = document.createElement("p"); p.append("a", document.createElement("b"), "c"); p.children[0].textContent = "B"; log(p.textContent); p.textContent = ""; log(p.childNodes.length)`, "aBc 0"},
	{"innerHTML empties", `const p = document.createElement("ul"); p.append("a"); p.innerHTML = ""; log(p.childNodes.length)`, "0"},
	{"textContent null", `const p = document.createElement("p"); p.textContent = null; log(p.textContent === ""); p.textContent = undefined; log(p.textContent)`, "true "},
	{"append, prepend, insertBefore, remove, replaceChildren", `
		const p = document.createElement("p"), b = document.createElement("b"); b.textContent = "b";
		p.append("c"); p.prepend("a"); p.insertBefore(b, p.lastChild); log(p.textContent);
		b.remove(); log(p.textContent, b.parentNode); p.replaceChildren("x", b); log(p.textContent); p.removeChild(b); log(p.textContent)`, "abc ac, xb x"},
	{"appending moves", `const a = document.createElement("p"), b = document.createElement("p"), c = document.createElement("i"); a.append(c); b.append(c); log(a.childNodes.length, b.childNodes.length, c.parentNode === b)`, "0,1,true"},
	{"removing what is no child", `attempt(() => document.createElement("p").removeChild(document.createElement("i")))`, "NotFoundError"},
	{"a node in itself", `const p = document.createElement("p"); attempt(() => p.append(p))`, "HierarchyRequestError"},
	{"fragments", `const f = document.createDocumentFragment(), p = document.createElement("p"); f.append("a", "b"); p.append(f); log(p.childNodes.length, f.childNodes.length)`, "2,0"},
	{"a fragment between children", `const f = new DocumentFragment(), p = document.createElement("p"), b = document.createElement("b"); p.append("a", b); f.append(new Text("x"), "y"); p.replaceChild(f, b); log(p.textContent, p.childNodes.length, p.childElementCount, b.parentNode, f.hasChildNodes(), p.hasChildNodes())`, "axy,3,0,,false,true"},
	{"names, values and owners of nodes", `const p = document.createElement("p"), t = new Text("a"); for (const n of [document, p, t, new DocumentFragment()]) log(n.nodeName, n.nodeValue, n.ownerDocument === document); t.nodeValue = "b"; log(t.data, p.localName)`,
		"#document,,false P,,true #text,a,true #document-fragment,,true b,p"},
	{"getElementsByTagName and getElementsByClassName", `
		const p = document.createElement("p"), a = document.createElement("a"), b = document.createElement("b"); p.append(a, b); a.className = "one two"; b.className = "one"; document.body.append(p);
		log(p.getElementsByTagName("b")[0] === b, p.getElementsByTagName("*").length, p.getElementsByClassName("one").length, document.getElementsByClassName("two one")[0] === a); p.remove()`, "true,2,2,true"},
	{"the document's address, forms and script", `const f = document.createElement("form"), i = document.createElement("input"), p = document.createElement("p"); p.append(i); f.append(p, document.createElement("button")); document.body.append(f); log(document.URL === location.href, document.forms[0] === f, f.elements.length, f.elements[0] === i, document.currentScript); f.remove()`, "true,true,2,true,"},
	{"toggleAttribute", `const p = document.createElement("p"); log(p.toggleAttribute("hidden"), p.hidden, p.toggleAttribute("hidden"), p.toggleAttribute("Hidden", true), p.toggleAttribute("hidden", true), p.hidden)`, "true,true,false,true,true,true"},
	{"the names in a classList", `const p = document.createElement("p"); p.className = "a b"; log(p.classList.length, p.classList.item(1), p.classList.item(2), p.classList.value); p.classList.value = "c"; log(p.className)`, "2,b,,a b c"},
	{"properties of a style", `const p = document.createElement("p"); p.style.setProperty("display", "none"); log(p.style.display); p.style.removeProperty("display"); log(p.style.getPropertyValue("display"), "x")`, "none ,x"},
	{"siblings and ends", `const p = document.createElement("p"); p.append("a", document.createElement("b"), "c"); log(p.firstChild.data, p.lastChild.data, p.firstChild.nextSibling.tagName, p.lastElementChild.tagName, p.firstElementChild.previousSibling.data)`, "a,c,B,B,a"},
	{"getElementById and querySelector", `
		const p = document.createElement("p"); p.id = "found"; p.className = "one two"; document.body.append(p);
		log(document.getElementById("found") === p, document.querySelector("#found") === p, document.querySelector("p.two#found") === p, document.querySelector("body .one") === p, document.querySelectorAll("p, b").length, document.getElementById("none"));
		p.remove(); log(document.getElementById("found"))`, "true,true,true,true,1, "},
	{"classList", `const p = document.createElement("p"); p.classList.add("a", "b", "a"); p.classList.remove("a"); log(p.className, p.classList.toggle("c"), p.classList.toggle("b"), p.classList.contains("c"), p.classList.toggle("d", false), p.className)`, "b,true,false,true,false,c"},
	{"attributes, dataset, flags", `
		const p = document.createElement("p"); p.dataset.messageId = 7; p.setAttribute("Title", "t"); p.hidden = true;
		log(p.getAttribute("data-message-id"), p.dataset.messageId, p.dataset.none, p.title, p.hasAttribute("hidden"), p.getAttribute("none")); p.hidden = false; log(p.hasAttribute("hidden"))`, "7,7,,t,true, false"},
	{"input value", `const i = document.createElement("input"); i.setAttribute("value", "a"); log(i.value); i.value = "b\nc"; log(i.value, i.getAttribute("value")); i.value = ""; log(i.value === "")`, "a bc,a true"},
	{"a button submits its form", `
		const form = document.createElement("form"), button = document.createElement("button"); form.append(button); document.body.append(form);
		form.addEventListener("submit", (e) => { e.preventDefault(); log("submit", e.cancelable, e.submitter === button); }); button.addEventListener("click", () => log("click"));
		button.click(); form.remove()`, "click submit,true,true"},
	{"a disabled button does nothing", `const button = document.createElement("button"); button.disabled = true; button.addEventListener("click", () => log("click")); button.click(); log("end")`, "end"},
	{"isConnected", `const p = document.createElement("p"); log(p.isConnected); document.body.append(p); log(p.isConnected); p.remove(); log(p.isConnected)`, "false true false"},
	{"style", `const p = document.createElement("p"); p.style.color = "red"; log(p.style.color); p.style.setProperty("display", "none"); log(p.style.getPropertyValue("display"))`, "red none"},
	{"active element", `const i = document.createElement("input"); document.body.append(i); i.focus(); log(document.activeElement === i); i.remove()`, "true"},

	// Text, bytes, storage.
	{"btoa and atob", `log(btoa("h\xe9llo"), atob("aOlsbG8="), atob(" aOls bG8 ").length); attempt(() => btoa("\u20ac")); attempt(() => atob("a"))`, "aOlsbG8=,h\u00e9llo,5 InvalidCharacterError InvalidCharacterError"},
	{"TextEncoder and TextDecoder", `log(hex(new TextEncoder().encode("\u20ac\ud83d\ude00"))); log(new TextDecoder().decode(new Uint8Array([0xe2, 0x82, 0xac, 0xff])))`, "e282acf09f9880 \u20ac\ufffd"},
	{"Blob", `const b = new Blob(["a\u20ac", new Uint8Array([1, 2]), new Blob(["z"])], { type: "Text/Plain" }); log(b.size, b.type, hex(await b.arrayBuffer()), await new Blob(["hi"]).text(), b.slice(0, 1).size)`, "7,text/plain,61e282ac01027a,hi,1"},
	{"FileReader as data URL", `const r = new FileReader(); r.onload = () => log(r.result, r.readyState); r.readAsDataURL(new Blob([new Uint8Array([1, 2, 3])])); log(r.readyState); await once(r, "loadend")`, "1 data:application/octet-stream;base64,AQID,2"},
	{"FileReader as ArrayBuffer", `const r = new FileReader(); r.readAsArrayBuffer(new Blob(["abc"])); await once(r, "load"); log(hex(r.result))`, "616263"},
	{"random", `log(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()), crypto.randomUUID() !== crypto.randomUUID(), crypto.getRandomValues(new Uint8Array(4)).length)`, "true,true,4"},
	{"a lock is given later, and to one at a time, in order", `
		const hold = (who, ms) => navigator.locks.request("a", async (lock) => { log(who, lock.name, lock.mode); await sleep(ms); log(who + " ends"); return who; });
		const all = [hold("first", 20), hold("second", 5), hold("third", 0)]; log("asked"); log((await Promise.all(all)).join("+"))`,
		"asked first,a,exclusive first ends second,a,exclusive second ends third,a,exclusive third ends first+second+third"},
	{"locks of other names do not wait", `
		let free; const held = navigator.locks.request("a", () => new Promise((resolve) => { free = resolve; }));
		await navigator.locks.request("b", { mode: "exclusive" }, () => log("b")); free("a is free"); log(await held)`, "b a is free"},
	{"a lock is given back when its work fails", `
		for (const work of [() => { throw new RangeError(); }, async () => { throw new SyntaxError(); }]) await navigator.locks.request("a", work).catch((error) => log(error.name));
		log(await navigator.locks.request("a", () => "given"))`, "RangeError SyntaxError given"},
	{"a lock without work", `await navigator.locks.request("a").catch((error) => log(error.name))`, "TypeError"},
	{"localStorage", `
		localStorage.clear(); localStorage.setItem("a", 1); localStorage.b = "two"; log(localStorage.getItem("a"), localStorage.getItem("b"), localStorage.a, localStorage.length, localStorage.getItem("none"));
		localStorage.removeItem("a"); log(localStorage.length, localStorage.key(0), localStorage.key(9), localStorage.a, "b" in localStorage); delete localStorage.b; log(localStorage.length, Object.keys(localStorage).length)`,
		"1,two,1,2, 1,b,,,true 0,0"},
	{"storages are apart", `localStorage.clear(); sessionStorage.setItem("k", "s"); log(localStorage.getItem("k"), sessionStorage.getItem("k")); sessionStorage.clear()`, ",s"},
	{"storage is bounded", `localStorage.clear(); attempt(() => localStorage.setItem("k", "x".repeat(6 << 20))); log(localStorage.length)`, "QuotaExceededError 0"},
	{"location", `log(location.protocol, location.pathname, location.href === location.origin + "/", location.host === location.hostname + ":" + location.port)`, "http:,/,true,true"},

	// WebSocket.
	{"open, echo, close", `
		const socket = new WebSocket(ws + "/ws/echo"); log(socket.readyState, socket.binaryType, socket.bufferedAmount); socket.onmessage = (e) => { log("message", e.data, e.origin === ws); socket.close(); log(socket.readyState); };
		await once(socket, "open"); log("open", socket.readyState); socket.send("h\u20ac\ud83d\ude00"); const e = await once(socket, "close"); log("close", e.code, e.wasClean, socket.readyState)`,
		"0,blob,0 open,1 message,h\u20ac\U0001f600,true 2 close,1005,true,3"},
	{"binary as arraybuffer", `
		const socket = new WebSocket(ws + "/ws/echo"); socket.binaryType = "arraybuffer"; await once(socket, "open");
		socket.send(new Uint8Array([0, 1, 2, 255]).subarray(1)); const e = await once(socket, "message"); log(e.data instanceof ArrayBuffer, hex(e.data)); socket.close()`, "true,0102ff"},
	{"binary as blob", `
		const socket = new WebSocket(ws + "/ws/echo"); await once(socket, "open");
		socket.send(new Blob([new Uint8Array([7, 8])])); const e = await once(socket, "message"); log(e.data instanceof Blob, hex(await e.data.arrayBuffer())); socket.close()`, "true,0708"},
	{"messages keep their order", `
		const socket = new WebSocket(ws + "/ws/echo"); await once(socket, "open"); let n = 0;
		const all = new Promise((resolve) => { socket.onmessage = (e) => { log(e.data); if (++n === 5) resolve(); }; });
		for (let i = 0; i < 5; i++) socket.send(String(i)); await all; socket.close()`, "0 1 2 3 4"},
	{"close with code and reason", `
		const socket = new WebSocket(ws + "/ws/echo"); await once(socket, "open"); socket.close(3001, "bye"); const e = await once(socket, "close"); log(e.code, e.reason, e.wasClean)`, "3001,,true"},
	{"send before close arrives", `
		const socket = new WebSocket(ws + "/ws/count"); await once(socket, "open"); for (let i = 0; i < 20; i++) socket.send("x"); socket.close(); const e = await once(socket, "close");
		const xhr = request("GET", "/ws/counted"); xhr.send(); await once(xhr, "load"); log(xhr.responseText)`, "20"},
	{"the server closes", `
		const socket = new WebSocket(ws + "/ws/close?code=4001&reason=why"); logged(socket, "open", "error"); const e = await once(socket, "close"); log(e.code, e.reason, e.wasClean, socket.readyState)`, "open 4001,why,true,3"},
	{"the server closes without a code", `
		const socket = new WebSocket(ws + "/ws/close"); logged(socket, "open", "error"); const e = await once(socket, "close"); log(e.code, e.reason === "", e.wasClean)`, "open 1005,true,true"},
	{"the connection is dropped", `
		const socket = new WebSocket(ws + "/ws/drop"); logged(socket, "open", "error"); const e = await once(socket, "close"); log(e.code, e.reason === "", e.wasClean)`, "open 1006,true,false"},
	{"the connection is reset", `
		const socket = new WebSocket(ws + "/ws/reset"); logged(socket, "open", "error"); const e = await once(socket, "close"); log(e.code, e.wasClean)`, "open 1006,false"},
	{"the server breaks the protocol", `
		const socket = new WebSocket(ws + "/ws/garbage"); logged(socket, "open", "error"); const e = await once(socket, "close"); log(e.code, e.wasClean)`, "open error 1006,false"},
	{"the handshake is refused", `
		const socket = new WebSocket(ws + "/ws/refuse"); logged(socket, "open", "error"); const e = await once(socket, "close"); log(e.code, e.wasClean, socket.readyState)`, "error 1006,false,3"},
	{"close while connecting", `
		const socket = new WebSocket(ws + "/ws/slow"); logged(socket, "open", "error"); socket.close(); log(socket.readyState); const e = await once(socket, "close"); log(e.code, e.wasClean)`, "2 error 1006,false"},
	{"send while connecting", `const socket = new WebSocket(ws + "/ws/echo"); attempt(() => socket.send("x")); socket.close()`, "InvalidStateError"},
	{"send after close", `
		const socket = new WebSocket(ws + "/ws/echo"); await once(socket, "open"); socket.close(); await once(socket, "close"); attempt(() => socket.send("abc")); log(socket.bufferedAmount >= 3)`, "no error true"},
	{"bufferedAmount grows with send", `
		const socket = new WebSocket(ws + "/ws/echo"); await once(socket, "open"); socket.send("\u20ac"); socket.send(new Uint8Array(5)); log(socket.bufferedAmount);
		socket.send("end"); await once(socket, "message"); await sleep(50); log(socket.bufferedAmount); socket.close()`, "8 0"},
	{"a wrong address or code", `
		attempt(() => new WebSocket("ftp://127.0.0.1/")); attempt(() => new WebSocket(ws + "/#x")); attempt(() => new WebSocket(ws + "/ws/echo", ["a", "a"]));
		const socket = new WebSocket(ws + "/ws/echo"); attempt(() => socket.close(1001)); attempt(() => socket.close(3000, "x".repeat(124))); socket.close()`, "SyntaxError SyntaxError SyntaxError InvalidAccessError SyntaxError"},
	{"a message after close is called is not delivered", `
		const socket = new WebSocket(ws + "/ws/echo"); await once(socket, "open"); socket.onmessage = () => log("message"); socket.send("x"); socket.close(); await once(socket, "close"); log("closed")`, "closed"},
	{"subprotocol", `const socket = new WebSocket(ws + "/ws/echo", ["chat"]); await once(socket, "open"); log(socket.protocol); socket.close()`, "chat"},
	{"states", `log(WebSocket.CONNECTING, WebSocket.OPEN, WebSocket.CLOSING, WebSocket.CLOSED, WebSocket.prototype.OPEN)`, "0,1,2,3,1"},

	// XMLHttpRequest.
	{"GET", `
		const xhr = request("GET", "/http/hello"); log(xhr.readyState); xhr.onreadystatechange = () => log(xhr.readyState); xhr.send(); await once(xhr, "loadend");
		log(xhr.status, xhr.statusText, xhr.responseText, xhr.getResponseHeader("X-Test"), xhr.getResponseHeader("none"), xhr.responseURL === location.origin + "/http/hello")`, "1 2 3 4 200,OK,h\u00e9llo,yes,,true"},
	{"the order of the events", `const xhr = new XMLHttpRequest(); logged(xhr, "loadstart", "load", "loadend", "error", "abort"); xhr.open("GET", "/http/hello"); xhr.send(); await once(xhr, "loadend")`, "loadstart load loadend"},
	{"POST", `
		const xhr = request("POST", "/http/echo", (x) => { x.setRequestHeader("X-One", "1"); x.setRequestHeader("x-one", "2"); }); xhr.send("b\u20ac"); await once(xhr, "load");
		log(xhr.responseText)`, "POST|text/plain;charset=UTF-8|1, 2|b\u20ac"},
	{"POST of bytes", `const xhr = request("POST", "/http/echo"); xhr.send(new Uint8Array([65, 66])); await once(xhr, "load"); log(xhr.responseText)`, "POST|||AB"},
	{"a body with GET is left out", `const xhr = request("GET", "/http/echo"); xhr.send("body"); await once(xhr, "load"); log(xhr.responseText)`, "GET|||"},
	{"arraybuffer answer", `const xhr = request("GET", "/http/bytes", (x) => { x.responseType = "arraybuffer"; }); xhr.send(); log(xhr.response); await once(xhr, "load"); log(hex(xhr.response)); attempt(() => xhr.responseText)`, " 00ff0180 InvalidStateError"},
	{"json answer", `const xhr = request("GET", "/http/json", (x) => { x.responseType = "json"; }); xhr.send(); await once(xhr, "load"); log(xhr.response.a)`, "1"},
	{"blob answer", `const xhr = request("GET", "/http/bytes", (x) => { x.responseType = "blob"; }); xhr.send(); await once(xhr, "load"); log(xhr.response.size)`, "4"},
	{"404 is a load", `const xhr = request("GET", "/http/none"); logged(xhr, "load", "error"); xhr.send(); await once(xhr, "loadend"); log(xhr.status)`, "load 404"},
	{"an empty answer", `const xhr = request("GET", "/http/empty"); xhr.onreadystatechange = () => log(xhr.readyState); xhr.send(); await once(xhr, "loadend"); log(xhr.status, xhr.responseText === "")`, "2 4 200,true"},
	{"the connection is dropped before an answer", `
		const xhr = request("POST", "/http/drop"); logged(xhr, "load", "error"); xhr.onreadystatechange = () => log(xhr.readyState); xhr.send("x"); await once(xhr, "loadend"); log(xhr.status, xhr.responseText === "")`, "4 error 0,true"},
	{"the connection is dropped in the answer", `
		const xhr = request("GET", "/http/half"); logged(xhr, "load", "error"); xhr.send(); await once(xhr, "loadend"); log(xhr.readyState, xhr.status, xhr.responseText === "")`, "error 4,0,true"},
	{"abort", `
		const xhr = request("GET", "/http/slow"); logged(xhr, "load", "error", "abort", "loadend"); xhr.onreadystatechange = () => log(xhr.readyState); xhr.send(); await sleep(20); xhr.abort(); log("after", xhr.readyState, xhr.status); await sleep(20)`, "4 abort loadend after,0,0"},
	{"abort before send", `const xhr = request("GET", "/http/slow"); logged(xhr, "abort", "loadend"); xhr.abort(); log(xhr.readyState)`, "1"},
	{"abort after the end", `const xhr = request("GET", "/http/hello"); xhr.send(); await once(xhr, "loadend"); logged(xhr, "abort", "loadend"); xhr.abort(); log(xhr.readyState, xhr.status, xhr.responseText === "")`, "0,0,true"},
	{"timeout", `const xhr = request("GET", "/http/slow", (x) => { x.timeout = 20; }); logged(xhr, "load", "error", "abort", "timeout", "loadend"); xhr.send(); await once(xhr, "loadend"); log(xhr.readyState, xhr.status)`, "timeout loadend 4,0"},
	{"a request is used again", `const xhr = request("GET", "/http/hello"); xhr.send(); await once(xhr, "loadend"); xhr.open("GET", "/http/json"); log(xhr.readyState, xhr.responseText === ""); xhr.send(); await once(xhr, "loadend"); log(xhr.responseText)`, "1,true {\"a\":1}"},
	{"wrong order", `const xhr = new XMLHttpRequest(); attempt(() => xhr.send()); attempt(() => xhr.setRequestHeader("a", "b")); xhr.open("GET", "/http/hello"); xhr.send(); attempt(() => xhr.send()); xhr.abort()`, "InvalidStateError InvalidStateError InvalidStateError"},
	{"forbidden headers are passed over", `const xhr = request("GET", "/http/hello"); attempt(() => xhr.setRequestHeader("Host", "elsewhere")); xhr.send(); await once(xhr, "load"); log(xhr.status)`, "no error 200"},
	{"cookies are sent and hidden", `
		let xhr = request("GET", "/http/set-cookie"); xhr.send(); await once(xhr, "load"); log(xhr.getResponseHeader("Set-Cookie"));
		xhr = request("GET", "/http/cookie"); xhr.send(); await once(xhr, "load"); log(xhr.responseText)`, " kept"},
	{"several requests at once", `
		const all = [1, 2, 3].map((n) => { const xhr = request("POST", "/http/echo"); xhr.send("n" + n); return once(xhr, "load").then(() => xhr.responseText.slice(-2)); });
		log((await Promise.all(all)).join("+"))`, "n1+n2+n3"},
	{"a request on a used connection that drops is made again", `
		for (const [method, path] of [["GET", "/http/once-get"], ["POST", "/http/once-post"]]) {
			for (let i = 0; i < 2; i++) {
				const first = request("GET", "/http/fresh"); first.send(); await once(first, "load");
			}
			const xhr = request(method, path); xhr.send(method === "POST" ? "x" : null); await once(xhr, "loadend"); log(method, xhr.status, xhr.responseText);
		}`, "GET,200,2 POST,200,2"},
	{"features that the bundle looks for", `log(typeof Promise.resolve, "withCredentials" in new XMLHttpRequest(), "onpagehide" in window, typeof Blob, Object.prototype.toString.call(new Blob()), self === window, new XMLHttpRequest().responseType !== null)`, "function,true,true,function,[object Blob],true,true"},
}

// The usual mistake, with ?mistake in the address: the effect adds its listener and does not
// remove it. StrictMode mounts every component twice, as navigation in an application does, so
// there are two listeners, and every message is shown twice.
import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { io } from "socket.io-client";

const mistake = new URLSearchParams(location.search).has("mistake");
const socket = io({ autoConnect: false, auth: { serverOffset: 0 } });

function Chat() {
  const [messages, setMessages] = useState([]);
  useEffect(() => {
    const receive = (text, offset) => {
      setMessages((before) => [...before, text]);
      socket.auth.serverOffset = offset;
    };
    socket.on("chat message", receive);
    socket.connect();
    return () => {
      if (!mistake) socket.off("chat message", receive);
      socket.disconnect();
    };
  }, []);

  function send(event) {
    event.preventDefault();
    const text = new FormData(event.currentTarget).get("text");
    if (text) socket.emit("chat message", text);
    event.currentTarget.reset();
  }
  return (
    <>
      <ul id="messages">{messages.map((text, i) => <li key={i}>{text}</li>)}</ul>
      <form id="form" onSubmit={send}><input id="input" name="text" autoComplete="off" /><button>Send</button></form>
    </>
  );
}

createRoot(document.getElementById("root")).render(<StrictMode><Chat /></StrictMode>);

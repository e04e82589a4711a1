// Explains the content of a frame: Engine.IO protocol 4 and Socket.IO protocol 5.
import { t } from "./words.js";

function body(frame) {
  if (frame.type !== "http") return frame.text ?? "";
  const i = (frame.text ?? "").indexOf("\n");
  return i < 0 ? "" : frame.text.slice(i + 1);
}

function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // The text of a frame can be truncated.
  }
}

/** The acknowledgement number and the data of a Socket.IO packet. */
function parts(text) {
  const [, id, data] = /^4\d(?:\/[^,]*,)?(\d*)(.*)$/s.exec(text) ?? [];
  return { id, data: json(data), raw: data };
}

/** The lines that explain a frame; `frames` holds all frames of the run. */
export function explain(frame, frames) {
  const text = body(frame);
  const up = frame.direction === "up";
  const { id, data } = parts(text);
  const lines = [];
  const add = (key, values) => lines.push(t(key, values));
  switch (frame.packet) {
    case "http": {
      const line = (frame.text ?? "").split("\n")[0];
      if (!up) add(line.includes(" 101 ") ? "frame http upgraded" : "frame http answer");
      else if (line.includes("transport=websocket")) add("frame http websocket");
      else if (line.includes("transport=polling")) add("frame http polling");
      else if (line.includes("socket.io.js")) add("frame http bundle");
      else add("frame http page");
      break;
    }
    case "open": {
      const open = json(text.slice(1)) ?? {};
      add("frame open", { interval: (open.pingInterval ?? 0) / 1000, timeout: (open.pingTimeout ?? 0) / 1000 });
      break;
    }
    case "ping": add("frame ping"); break;
    case "pong": add("frame pong"); break;
    case "upgrade": add("frame upgrade"); break;
    case "close": add("frame close"); break;
    case "disconnect": add(up ? "frame disconnect up" : "frame disconnect down"); break;
    case "error": add("frame error", { message: data?.message ?? "" }); break;
    case "connect":
      if (up) {
        if (data?.pid) add("frame connect recover", { offset: data.offset ?? "–" });
        else add("frame connect new");
        if (data?.serverOffset !== undefined) add("frame connect offset", { offset: data.serverOffset });
      } else {
        const asked = frames.findLast((f) => f.client === frame.client && f.connection === frame.connection && f.direction === "up" && f.packet === "connect" && f.at <= frame.left + 1e-6);
        const pid = asked && parts(body(asked)).data?.pid;
        if (pid && pid === data?.pid) add("frame connected recovered");
        else if (pid) add("frame connected forgotten");
        else add(data?.pid ? "frame connected session" : "frame connected");
      }
      break;
    case "event": {
      const values = Array.isArray(data) ? data : [];
      add(up ? "frame event up" : "frame event down", { name: values[0] ?? "?", text: typeof values[1] === "string" ? values[1] : JSON.stringify(values[1] ?? "") });
      if (up && id) add("frame event ack", { id });
      const rest = values.slice(2);
      const offset = rest.find((v) => typeof v === "number");
      const recovery = rest.findLast((v) => typeof v === "string");
      if (!up && offset !== undefined) add("frame event offset", { offset });
      if (!up && recovery) add("frame event recovery", { offset: recovery });
      if (up && typeof rest[0] === "string") add("frame event key", { key: rest[0] });
      break;
    }
    case "ack": add("frame ack", { id: id ?? "?" }); break;
    default: add("frame other");
  }
  if (frame.lost) add("frame lost");
  return lines;
}

export const payload = (frame) => (frame.text ?? "").slice(0, 280);

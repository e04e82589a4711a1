      // The offset outlives the page; the list on the screen does not.
      const kept = Number(localStorage.getItem("serverOffset")) || 0;
      const socket = io({ auth: { serverOffset: kept } });

      socket.on("chat message", (text, offset) => {
        if (offset <= socket.auth.serverOffset) return;
        show(text);
        socket.auth.serverOffset = offset;
        localStorage.setItem("serverOffset", offset);
      });

      onSubmit((text) => socket.emit("chat message", text, () => {}));

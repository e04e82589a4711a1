      const socket = io({ auth: { serverOffset: 0 } });

      socket.on("chat message", (text, offset) => {
        if (offset <= socket.auth.serverOffset) return;
        show(text);
        socket.auth.serverOffset = offset;
      });

      onSubmit((text) => socket.emit("chat message", text));

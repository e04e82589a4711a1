      const socket = io({ auth: { serverOffset: 0 } });

      // No look at the offset: what comes twice is shown twice, what comes late
      // late, and then the offset goes back.
      socket.on("chat message", (text, offset) => {
        show(text);
        socket.auth.serverOffset = offset;
      });

      onSubmit((text) => socket.emit("chat message", text, () => {}));

      const socket = io({ auth: { serverOffset: 0 } });

      // To spare the screen, messages are shown in batches.
      let batch = [];
      setInterval(() => {
        batch.forEach(show);
        batch = [];
      }, 300);

      socket.on("chat message", (text, offset) => {
        if (offset <= socket.auth.serverOffset) return;
        // Too early: nothing of it is on the screen.
        socket.auth.serverOffset = offset;
        batch.push(text);
      });

      // What was not shown will come again, it thinks.
      socket.on("disconnect", () => { batch = []; });

      onSubmit((text) => socket.emit("chat message", text, () => {}));

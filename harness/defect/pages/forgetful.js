      // auth is made anew for each connection, and nobody ever puts an offset in.
      const socket = io({ auth: (answer) => answer({ serverOffset: 0 }) });

      let newest = 0;
      socket.on("connect", () => { newest = 0; });

      socket.on("chat message", (text, offset) => {
        if (offset <= newest) return;
        show(text);
        newest = offset;
      });

      onSubmit((text) => socket.emit("chat message", text, () => {}));

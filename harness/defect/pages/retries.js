      const socket = io({ auth: { serverOffset: 0 }, ackTimeout: 10000, retries: 3 });
      let counter = 0;

      socket.on("chat message", (text, offset) => {
        show(text);
        socket.auth.serverOffset = offset;
      });

      // The key is made of the connection's id, which there is none of while offline.
      onSubmit((text) => socket.emit("chat message", text, `${socket.id}-${counter++}`));

// Whether there is a network, as a test says; whoever listens is told at once how it is.
const listeners = new Set();
globalThis.tellNetInfo = (isConnected) => {
  for (const listener of listeners) listener({ isConnected });
};

export default {
  addEventListener(listener) {
    listeners.add(listener);
    listener({ isConnected: true });
    return () => listeners.delete(listener);
  },
};

// What a phone keeps when the app ends: here the page, under names that only this gives.
const own = (name) => `phone:${name}`;

export default {
  getItem: (name) => Promise.resolve(localStorage.getItem(own(name))),
  setItem: (name, text) =>
    Promise.resolve(localStorage.setItem(own(name), text)),
  removeItem: (name) => Promise.resolve(localStorage.removeItem(own(name))),
};

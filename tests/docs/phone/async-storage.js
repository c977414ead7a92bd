// What a phone keeps when the app ends: here the page.
export default {
  getItem: (name) => Promise.resolve(localStorage.getItem(name)),
  setItem: (name, value) => Promise.resolve(localStorage.setItem(name, value)),
  removeItem: (name) => Promise.resolve(localStorage.removeItem(name)),
};

// As much of React Native as the example uses, in a page.
import { createElement } from "react";

export const View = ({ children }) => createElement("div", {}, children);
export const Text = ({ children }) => createElement("p", {}, children);
export const Button = ({ title, onPress, disabled }) =>
  createElement("button", { onClick: onPress, disabled }, title);

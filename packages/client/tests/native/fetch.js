// @ts-nocheck: the package comes without types.
// After the globals that it finds at its start.
import { fetch, Headers, Request, Response } from "whatwg-fetch";

Object.assign(globalThis, { fetch, Headers, Request, Response });

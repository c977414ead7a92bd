// Of what is not installed here, as much as the pages use.
declare module "expo-crypto" {
  export function getRandomBytes(count: number): Uint8Array;
}

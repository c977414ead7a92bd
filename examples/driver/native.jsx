// A driver's screen in React Native or Expo: one thing at a time, kept on the phone until it is answered. Your app gives it `supabase`, in which
// the driver is signed in, and `shop`, which is `new Interlock(supabase)`.
import { useCallback, useEffect, useRef, useState } from "react";
import { Button, Text, View } from "react-native";
import AsyncStorage from "@react-native-async-storage/async-storage";
import NetInfo from "@react-native-community/netinfo";
import { InterlockError, submission } from "@interlock/client";
import { useClaim } from "@interlock/client/react";

// Under a key that outlives the app: what is sent again is done once.
const kept = submission("round", AsyncStorage);
const RENEW_MS = 300_000;

export function Round({ supabase, shop }) {
  const round = useClaim(shop, { submission: kept });
  const { batch, error, unsent, resume, forget } = round;
  const [held, setHeld] = useState(null);

  const read = useCallback(async () => {
    const { data } = await supabase.from("batches").select()
      .in("status", ["claimed", "in_progress"]).limit(1);
    if (data) setHeld(data[0] ?? null);
  }, [supabase]);
  useEffect(() => void read(), [read]);

  useEffect(() => {
    if (!batch) return;
    setHeld(["claimed", "in_progress"].includes(batch.status) ? batch : null);
  }, [batch]);

  // Refused: nothing has happened, so the next press is a new one; what is held may be another's by now.
  useEffect(() => {
    if (!(error instanceof InterlockError) || error.retryable) return;
    void forget();
    void read();
  }, [error, forget, read]);

  // It goes out when the phone has a network again.
  const again = useRef(resume);
  useEffect(() => void (again.current = resume), [resume]);
  useEffect(() =>
    NetInfo.addEventListener(({ isConnected }) => {
      if (isConnected) again.current();
    }), []);

  // The lease is kept while the screen is open. It is no press, so it does not take the place of one that waits.
  useEffect(() => {
    if (!held) return;
    let here = true;
    const timer = setInterval(() => {
      shop.renew(held.id).then(
        (renewed) => here && setHeld(renewed),
        (error) => error.retryable || read(),
      );
    }, RENEW_MS);
    return () => {
      here = false;
      clearInterval(timer);
    };
  }, [held?.id, shop, read]);

  const button = (title, press, disabled = round.pending || unsent) => (
    <Button title={title} onPress={press} disabled={disabled} />
  );
  return (
    <View>
      <Text>{held ? held.reference ?? held.id : "No round"}</Text>
      {unsent && <Text>Not sent yet: there was no answer.</Text>}
      {error && !unsent && <Text>{error.message}</Text>}
      {unsent && button("Send it again", resume, false)}
      {!held && button("Claim the next one", () => round.claim())}
      {held?.status === "claimed" &&
        button("Set out", () => round.start(held.id))}
      {held && button("Delivered", () => round.complete(held.id))}
      {held && button("Give it back", () => round.release(held.id))}
    </View>
  );
}

import { describe, expect, it } from "vitest";
import type { CallView } from "../generated/CallView";
import type { ChatView } from "../generated/ChatView";
import type { ParticipantView } from "../generated/ParticipantView";
import {
  announcements,
  calledName,
  chatAnnouncements,
  connectionWords,
  grantWords,
  hiddenPictures,
  groupChat,
  leaveQuestion,
  mutedWords,
  mutedByHostWords,
  pictureName,
  screenName,
  stageTiles,
  troubleWords,
} from "./room";
import { person } from "./person.fixture";

const message = (id: string, from: string, sentAt: number, rest: Partial<ChatView> = {}): ChatView => ({
  id,
  from,
  name: from,
  isMine: false,
  isPrivate: false,
  text: `text ${id}`,
  sentAt,
  pending: false,
  ...rest,
});
const call = (participants: ParticipantView[], rest: Partial<CallView> = {}): CallView => ({
  phase: { kind: "inside" },
  room: null,
  participants,
  chat: [],
  serviceAway: false,
  mutedByHost: null,
  mayPublish: ["microphone", "camera", "screen_share"],
  ...rest,
});
const me = person("Mira", { isMe: true });

describe("the room", () => {
  it("shows the own tile last and the others as they came", () => {
    expect(stageTiles([me, person("Anna"), person("Ben")]).map(({ person }) => person.id)).toEqual([
      "Anna",
      "Ben",
      "Mira",
    ]);
  });

  it("gives a shared screen a tile of its own, before the people", () => {
    const anna = person("Anna", { screenShare: "on", pictures: ["camera", "screen_share"] });
    const tiles = stageTiles([me, anna]);
    expect(tiles.map(({ person, source }) => pictureName(person, source))).toEqual([
      "screen:Anna",
      "Anna",
      "me",
    ]);
    expect(screenName(anna)).toBe("Anna’s screen");
  });

  it("asks a host who leaves others behind, and nobody else", () => {
    const host = { ...me, role: "host" } as const;
    const here = { hosted: true };
    expect(leaveQuestion([host], here)).toBeNull();
    expect(leaveQuestion([me, person("Anna")], here)).toBeNull();
    const viewer = person("Vera", { role: "viewer" });
    expect(leaveQuestion([host, viewer, person("Anna")], { hosted: false })).toEqual([
      "Others are still in the call. Anna becomes host when you leave.",
    ]);
    expect(leaveQuestion([host, viewer], here)).toEqual([
      "Vera is still in the call. It will have no host.",
      "The call is hosted on this computer: new people can join only while Visavis stays open.",
    ]);
  });

  it("asks nobody for pictures that are not looked at", () => {
    const anna = person("Anna", { screenShare: "on", pictures: ["camera", "screen_share"] });
    const people = [me, anna, person("Ben"), person("Chen", { camera: "muted" })];
    const onPage = ({ person }: { person: ParticipantView }) => person.id === "Anna";
    expect(hiddenPictures(people, onPage, false)).toEqual(["Ben"]);
    expect(hiddenPictures(people, () => false, true)).toEqual(["Anna", "screen:Anna", "Ben"]);
    // A screen that has just been shared gets its tile with its first picture.
    const fresh = person("Anna", { screenShare: "on" });
    expect(hiddenPictures([me, fresh], onPage, false)).toEqual([]);
  });

  it("says what is wrong with a connection and is silent when all is well", () => {
    expect(connectionWords(person("Anna"))).toBeNull();
    expect(connectionWords(person("Anna", { connection: "connecting" }))).toBe("Connecting…");
    expect(connectionWords(person("Anna", { connection: "failed" }))).toBe("Connection lost. Trying again…");
    expect(connectionWords(person("Anna", { connection: "failed", problem: "unreachable" }))).toBe(
      "No network path found. Trying again…",
    );
  });

  it("says who muted the local user", () => {
    expect(mutedByHostWords({ source: "microphone", name: "Ann" })).toBe("Ann muted your microphone.");
    expect(mutedByHostWords({ source: "camera", name: "" })).toBe("The host turned your camera off.");
  });

  it("says what the local user may do from now on, and no longer", () => {
    expect(grantWords(["microphone"], ["microphone"])).toBeNull();
    expect(grantWords([], ["microphone", "camera", "screen_share"])).toBe(
      "You may now speak, turn your camera on and share your screen.",
    );
    expect(grantWords(["microphone", "camera", "screen_share"], ["camera"])).toBe(
      "You may no longer speak or share your screen here.",
    );
  });

  it("warns of a picture that cannot be shown", () => {
    expect(troubleWords(person("Ben", { camera: "unsupported" }))).toBe("Video in an unknown format");
    expect(troubleWords(person("Ben", { camera: "suspended" }))).toBe(
      "Video paused: Ben has too little bandwidth",
    );
    expect(troubleWords(person("Ben", { screenShare: "suspended" }))).toBe(
      "Screen paused: Ben has too little bandwidth",
    );
    expect(troubleWords(person("Ben"))).toBeNull();
  });

  it("names everybody", () => {
    expect(calledName(me)).toBe("Mira (you)");
    expect(calledName(person("x", { name: "" }))).toBe("Guest");
    expect(calledName(person("x", { name: " ", isMe: true }))).toBe("You");
  });

  it("calls nobody else you, whatever their name", () => {
    expect(calledName(person("x", { name: "Anna (you)" }))).toBe("Anna");
    expect(calledName(person("x", { name: "Anna （YOU）" }))).toBe("Anna");
    expect(calledName(person("x", { name: "(you)" }))).toBe("Guest");
    expect(calledName(person("x", { name: "Thank you" }))).toBe("Thank you");
    expect(calledName(person("x", { name: "You" }))).toBe("You (guest)");
  });

  it("says what is off", () => {
    expect(mutedWords(person("Anna"))).toEqual([]);
    expect(mutedWords(person("Anna", { camera: "suspended" }))).toEqual(["video paused"]);
    expect(mutedWords(person("Anna", { microphone: "muted", camera: "absent" }))).toEqual([
      "muted",
      "camera off",
    ]);
  });
});

describe("the chat", () => {
  it("puts what one person says in a row under one name", () => {
    const groups = groupChat([
      message("1", "Anna", 0),
      message("2", "Anna", 60_000),
      message("3", "Mira", 61_000, { isMine: true }),
      message("4", "Anna", 62_000),
      message("5", "Anna", 300_000),
    ]);
    expect(groups.map(({ name, messages }) => [name, messages.map(({ id }) => id)])).toEqual([
      ["Anna", ["1", "2"]],
      ["You", ["3"]],
      ["Anna", ["4"]],
      ["Anna", ["5"]],
    ]);
  });
});

describe("a screen reader", () => {
  it("is told who came, left, is muted and spoke in the chat", () => {
    const before = call([me, person("Anna"), person("Ben")]);
    const after = call(
      [
        { ...me, microphone: "muted" },
        person("Anna", { microphone: "muted", screenShare: "on" }),
        person("Chen"),
      ],
      {
        serviceAway: true,
      },
    );
    expect(announcements(before, after)).toEqual([
      "Ben left",
      "You are muted",
      "Anna is muted",
      "Anna shares a screen",
      "Chen joined",
      "Server connection lost. The call continues",
    ]);
    expect(announcements(after, after)).toEqual([]);
  });

  it("hears new messages, the beginning of a long one, and the number of many", () => {
    const one = message("1", "Anna", 0);
    const mine = message("2", "Mira", 0, { isMine: true });
    expect(chatAnnouncements([], [one, mine])).toEqual(["Anna says: text 1"]);
    expect(chatAnnouncements([one], [one, mine])).toEqual([]);
    // An id is unique among the messages of its sender only.
    expect(chatAnnouncements([one], [one, message("1", "Ben", 0)])).toEqual(["Ben says: text 1"]);
    const long = message("3", "Anna", 0, { text: "x".repeat(4_000) });
    expect(chatAnnouncements([], [long])[0]?.length).toBeLessThan(400);
    const many = Array.from({ length: 500 }, (_, i) => message(`${i}`, "Anna", i));
    expect(chatAnnouncements([], many)).toEqual(["500 new messages"]);
  });
});

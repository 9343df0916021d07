// Every reason why a call can be over or a command refused, in words: what
// happened and what to do. The tables are complete by their types and by test.

import type { ClosedReason } from "../generated/ClosedReason";
import type { CommandError } from "../generated/CommandError";
import type { EndReason } from "../generated/EndReason";
import type { ErrorCode } from "../generated/ErrorCode";
import type { RemovedReason } from "../generated/RemovedReason";

/** What is offered first; the other is offered too where it can help. */
export type Action = "rejoin" | "lobby";

export interface Words {
  title: string;
  sentence: string;
  action: Action;
}

const words = (title: string, sentence: string, action: Action): Words => ({ title, sentence, action });

const updateApp = "Update Visavis here or on the server, then try again.";

export const REFUSALS: Record<ErrorCode, Words> = {
  "bad-message": words("The server did not understand", updateApp, "lobby"),
  "message-too-large": words("That was too long", "Send less at once, then try again.", "rejoin"),
  "unknown-type": words("The server is of another version", updateApp, "lobby"),
  unauthorized: words(
    "The server does not know you",
    "It asks for proof of who you are. Ask for a new invitation and open its link.",
    "lobby",
  ),
  forbidden: words("You may not do that here", "Ask the host of the room to allow it.", "lobby"),
  "token-expired": words(
    "Your invitation has run out",
    "Ask for a new invitation and open its link.",
    "lobby",
  ),
  "room-not-found": words(
    "There is no such room",
    "It may be over, or its id may be mistyped. Check the id and the server, or make a new room.",
    "lobby",
  ),
  "room-not-open": words(
    "The room is not open yet",
    "It opens at its appointed time. Try again then.",
    "rejoin",
  ),
  "room-ended": words("The room was closed", "Its host or its time ended it for everyone.", "lobby"),
  "room-full": words("The room is full", "Try again when someone has left.", "rejoin"),
  "room-locked": words("The room is locked", "Ask someone inside to unlock it, then try again.", "rejoin"),
  "wrong-passcode": words(
    "The passcode is missing or wrong",
    "Ask the person who invited you for it, then join again.",
    "lobby",
  ),
  "waiting-room": words(
    "The host lets people in one by one",
    "Ask the host to let you in, then try again.",
    "rejoin",
  ),
  denied: words("The host did not let you in", "If you were expected, ask the host and try again.", "lobby"),
  "not-in-room": words("You are no longer in the room", "Join again to go on.", "rejoin"),
  "already-in-room": words(
    "You are in this room already",
    "Another window may hold your place. Close it, then join again.",
    "rejoin",
  ),
  "member-not-found": words("That person has left", "Join again to see who is inside.", "rejoin"),
  "rate-limited": words(
    "Too much at once",
    "The server asked for a pause. Wait a moment, then try again.",
    "rejoin",
  ),
  "server-busy": words("The server is busy", "Wait a moment, then try again.", "rejoin"),
  internal: words(
    "The server failed",
    "Nothing is wrong on your side. Try again; if it stays so, tell whoever runs the server.",
    "rejoin",
  ),
};

type PlainEnd = Exclude<EndReason["kind"], "refused" | "roomClosed" | "removed">;

export const ENDINGS: Record<PlainEnd, Words> = {
  left: words("You left", "Join again, or go back to the lobby.", "rejoin"),
  serverUnreachable: words(
    "The server does not answer",
    "Check its address and your network, then try again.",
    "rejoin",
  ),
  connectionLost: words(
    "The connection was lost",
    "Neither the server nor anyone inside could be reached. Check your network, then join again.",
    "rejoin",
  ),
};

export const CLOSINGS: Record<ClosedReason, Words> = {
  "ended-by-host": words("The host ended the meeting", "Nobody is inside any more.", "lobby"),
  "host-left": words("The meeting is over", "The host left and did not return.", "lobby"),
  "time-over": words("The meeting’s time is over", "The room was open until now.", "lobby"),
  idle: words("The room was closed", "Nobody had joined for a long time.", "lobby"),
  closed: words("The room was closed", "An administrator of the server closed it.", "lobby"),
  deleted: words("The room was deleted", "It cannot be joined again.", "lobby"),
};

export const REMOVALS: Record<RemovedReason, Words> = {
  "removed-by-host": words("You were removed", "The host removed you from the room.", "lobby"),
  "removed-by-administrator": words(
    "You were removed by an administrator",
    "An administrator of the server removed you from the room.",
    "lobby",
  ),
};

export function endingWords(reason: EndReason): Words {
  switch (reason.kind) {
    case "refused":
      return REFUSALS[reason.code];
    case "roomClosed":
      return CLOSINGS[reason.why];
    case "removed":
      return REMOVALS[reason.why];
    default:
      return ENDINGS[reason.kind];
  }
}

/** A refused command as one or two sentences, to stand beside what was asked. */
export function commandWords(error: CommandError): string {
  switch (error.kind) {
    case "notARoom":
      return "That is neither a room's id nor a link to a room. An id looks like abc-defg-hij.";
    case "notAServer":
      return "That is no server's address. It looks like wss://rooms.example.org.";
    case "serverUnreachable":
      return "The server does not answer. Check its address and your network, then try again.";
    case "refused":
      return `${REFUSALS[error.code].title}. ${REFUSALS[error.code].sentence}`;
    case "cannotShare":
      return error.problem === "refused"
        ? "The system does not let Visavis see the screen. Allow it in its privacy settings, then look again."
        : `Nothing can be shared here: ${error.detail.trim().replace(/\.?$/, ".")}`;
    case "nothingToShare":
      return "That is not there any longer. Choose another screen or window.";
    case "notShared":
      return "Only this computer can enter the room. Let others on your network in first.";
    case "noNetwork":
      return "Nobody can reach this computer: it is on no network.";
    case "system":
      return `That did not work: ${error.detail.trim().replace(/\.?$/, ".")}`;
  }
}

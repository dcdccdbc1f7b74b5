import { Effect } from "effect"
import { Argument, Command, Completions } from "effect/cli"
import * as Params from "../Params.ts"
import * as Screen from "../Screen.ts"

/** Flags of every command, which descriptions of single commands do not mention. */
const globalFlags = () =>
  Completions.fromCommand(Command.make("globals", Object.fromEntries(Params.globals.map(({ flag, id }) => [id, flag]))))
    .flags

const withGlobals = (command: Completions.CommandDescriptor): Completions.CommandDescriptor => ({
  ...command,
  flags: [...command.flags, ...globalFlags()],
  subcommands: command.subcommands.map(withGlobals)
})

const params = {
  shell: Argument.Literals("shell", ["bash", "zsh", "fish"]).pipe(Argument.withDescription("Your shell"))
}

/** `root` comes late because it holds this command too. */
export const make = (root: () => Command.Command.Any) =>
  Command.make(
    "completion",
    params,
    Effect.fn("completion")(function* ({ shell }) {
      const descriptor = withGlobals(Completions.fromCommand(root()))
      const script = Completions.generate("muster", shell, descriptor)
      yield* Screen.print(script.replaceAll("--completions", "completion").trimEnd())
    })
  ).pipe(
    Command.withDescription("Print a script that makes your shell complete commands and flags"),
    Command.withExamples([
      { command: "source <(muster completion bash)", description: "In ~/.bashrc" },
      { command: "muster completion zsh > ~/.zfunc/_muster", description: "With ~/.zfunc in $fpath" },
      { command: "muster completion fish > ~/.config/fish/completions/muster.fish", description: "For fish" }
    ])
  )

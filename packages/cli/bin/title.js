// What `ps` shows of this process. Everybody on a machine can read the command lines of all its processes, so a secret that
// was given by a flag is shown for the first moments only. (By the environment it is never shown to others.)

const secretFlags = ["--token", "--database-url"]

/** Command-line arguments with what is behind such a flag left out. */
export const withoutSecrets = (args) =>
  args.map((arg, place) => {
    if (secretFlags.includes(args[place - 1])) return "***"
    const flag = secretFlags.find((name) => arg.startsWith(`${name}=`))
    return flag === undefined ? arg : `${flag}=***`
  })

/** Changes the command line of this process, if a secret is in it. */
export const hideSecrets = () => {
  const args = process.argv.slice(2)
  const shown = withoutSecrets(args)
  if (shown.some((arg, place) => arg !== args[place])) process.title = ["muster", ...shown].join(" ")
}

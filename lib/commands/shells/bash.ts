import { type Described, type DescribedOption, flagsWithValue, type Values } from "./described.ts";

/** The script that completes a program in bash. */
export function bash(described: Described): string {
  const { name, verbs } = described;
  const all = [{ name: "", options: described.options, argument: null }, ...verbs];
  const values = all.flatMap((verb) =>
    verb.options.flatMap((option) => valueCase(verb.name, option, name))
  );
  const words = all.map((verb) => {
    const flags = verb.options.map(({ flag }) => flag);
    const { argument } = verb;
    const said = verb.name === ""
      ? verbs.map((one) => one.name)
      : argument === "ids"
      ? [`$(_${name}_ask ids)`]
      : Array.isArray(argument)
      ? argument
      : [];
    return `    ${verb.name || "''"}) words="${said.join(" ")}" flags="${flags.join(" ")}" ;;`;
  });
  const runners = verbs.filter(({ argument }) => argument === "command").map((one) => one.name);
  return `# bash completion for ${name}: eval "$(${name} completions bash)"

# What runs, of the proxy that the line names.
_${name}_ask() {
  "\${COMP_WORDS[0]}" \${which[@]+"\${which[@]}"} completions "$1" 2>/dev/null | cut -d' ' -f1
}

# Completes a command that begins at this word.
_${name}_command() {
  if declare -F _comp_command_offset >/dev/null; then _comp_command_offset "$1"
  elif declare -F _command_offset >/dev/null; then _command_offset "$1"
  elif ((COMP_CWORD == $1)); then COMPREPLY=($(compgen -c -- "$current"))
  fi
}

_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local verb= word= words= flags= at=1 which=()
  # The verb is the first word that is no option, nor the value of one.
  while ((at < COMP_CWORD)); do
    word=\${COMP_WORDS[at]}
    case $word in --runtime-dir|--port) which+=("$word" "\${COMP_WORDS[at+1]-}") ;; esac
    case $word in
      ${flagsWithValue(described).join("|")}) at=$((at + 2)); continue ;;
      --) break ;;
      -*) ;;
      *) case $verb in ${runners.join("|")}) break ;; esac; verb=\${verb:-$word} ;;
    esac
    at=$((at + 1))
  done
  case $verb in ${runners.join("|")})
    if ((at < COMP_CWORD)) && [[ $word == -- ]]; then _${name}_command $((at + 1)); return; fi
    if ((at < COMP_CWORD)) || [[ $at == "$COMP_CWORD" && $current != -* ]]; then
      _${name}_command $at; return
    fi
  esac
  if ((at < COMP_CWORD)); then return; fi
  if ((at > COMP_CWORD)); then
    case "$verb $previous" in
${values.join("\n")}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    return
  fi
  case $verb in
${words.join("\n")}
  esac
  if [[ $current == -* || $words == "" ]]; then words=$flags; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _${name} ${name}
`;
}

function valueCase(verb: string, { flag, values }: DescribedOption, name: string): string[] {
  if (values === null || values === "any") return [];
  return [`      "${verb} ${flag}") ${action(values, name)} ;;`];
}

function action(values: Exclude<Values, "any">, name: string): string {
  switch (values) {
    case "directories":
      return 'COMPREPLY=($(compgen -d -- "$current")); return';
    case "commands":
      return 'COMPREPLY=($(compgen -c -- "$current")); return';
    case "ports":
      return `which=(); words=$(_${name}_ask ports)`;
    default:
      return `words="${values.join(" ")}"`;
  }
}

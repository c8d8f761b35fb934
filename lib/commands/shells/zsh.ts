import type { Described, DescribedOption, DescribedVerb, Values } from "./described.ts";
import { quoted } from "./quoted.ts";

/** The script that completes a program in zsh. */
export function zsh({ name, options, verbs }: Described): string {
  const described = verbs.map((verb) => `    ${quoted(`${verb.name}:${bracketed(verb.about)}`)}`);
  const specs = (all: readonly DescribedOption[]) =>
    all.map((option) => quoted(spec(option, name)));
  const cases = verbs.map((verb) => {
    const words = ["_arguments -S", ...specs(verb.options), ...argument(verb, name)];
    return `        ${verb.name}) ${words.join(" ")} ;;`;
  });
  return `#compdef ${name}
# zsh completion for ${name}: source <(${name} completions zsh)

# What runs, of the proxy that the line names.
_${name}_ask() {
  local -a which lines
  local -i at
  if [[ $1 == ids ]]; then
    for ((at = 2; at < $#${name}_words; at++)); do
      [[ $${name}_words[at] == (--runtime-dir|--port) ]] || continue
      which+=($${name}_words[at] $${name}_words[at+1])
    done
  fi
  lines=(\${(f)"$($${name}_words[1] $which completions $1 2>/dev/null)"})
  lines=("\${(@)lines/ /:}")
  _describe $1 lines
}

_${name}() {
  local curcontext=$curcontext state line
  local -A opt_args
  local -a ${name}_words=($words)
  local -a verbs=(
${described.join("\n")}
  )
  _arguments -C -A '-*' ${specs(options).join(" ")} '1: :->verb' '*:: :->rest'
  case $state in
    verb) _describe verb verbs ;;
    rest)
      case $words[1] in
${cases.join("\n")}
      esac ;;
  esac
}
compdef _${name} ${name}
`;
}

function spec({ flag, about, values }: DescribedOption, name: string): string {
  const described = `${flag}[${bracketed(about)}]`;
  return values === null ? described : `${described}:${flag.slice(2)}:${action(values, name)}`;
}

function action(values: Values, name: string): string {
  switch (values) {
    case "directories":
      return "_directories";
    case "commands":
      return "_command_names -e";
    case "ports":
      // With a space before it, nothing is put between its words.
      return ` _${name}_ask ports`;
    case "any":
      return " ";
    default:
      return `(${values.join(" ")})`;
  }
}

function argument({ argument }: DescribedVerb, name: string): string[] {
  switch (argument) {
    case null:
      return [];
    case "ids":
      return [quoted(`*: : _${name}_ask ids`)];
    case "command":
      return [quoted("(-)1:command:_command_names -e"), quoted("*::arguments:_normal")];
    default:
      return [quoted(`1:argument:(${argument.join(" ")})`)];
  }
}

/** Brackets and colons have a meaning of their own in zsh's specifications. */
function bracketed(text: string): string {
  return text.replace(/[[\]:\\]/g, "\\$&");
}

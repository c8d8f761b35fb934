/**
 * `proxyctl completions`: scripts for shells, made from the command line's own description.
 *
 * @module
 */

import type { Command, Option } from "commander";

/** The shells that there are scripts for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** A shell that there is a script for. */
export type Shell = typeof SHELLS[number];

interface Verb {
  readonly name: string;
  readonly about: string;
  readonly options: readonly Option[];
  /** What can be said for its argument. */
  readonly words: readonly string[];
}

/** The script for a shell. */
export function completions(program: Command, shell: Shell): string {
  const verbs = program.commands.map((command): Verb => ({
    name: command.name(),
    about: command.description(),
    options: command.createHelp().visibleOptions(command),
    words: command.registeredArguments.flatMap((argument) => argument.argChoices ?? []),
  }));
  return { bash, zsh, fish }[shell](program.name(), verbs);
}

function bash(name: string, verbs: readonly Verb[]): string {
  const cases = verbs.map((verb) =>
    `    ${verb.name}) words="${[...flagsOf(verb), ...verb.words].join(" ")}" ;;`
  );
  const names = verbs.map((verb) => verb.name);
  return `# bash completion for ${name}: eval "$(${name} completions bash)"
_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} verb= word words
  case $previous in
    --runtime-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
  esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      --) return ;;
      ${names.join("|")}) verb=\${verb:-$word} ;;
    esac
  done
  case $verb in
${cases.join("\n")}
    *) words="${names.join(" ")} --runtime-dir --port --help --version" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _${name} ${name}
`;
}

function zsh(name: string, verbs: readonly Verb[]): string {
  const described = verbs.map((verb) => `    ${quote(`${verb.name}:${verb.about}`)}`);
  const cases = verbs.map((verb) => {
    const specs = verb.options.map((option) => {
      const takes = option.required || option.optional ? `:${option.attributeName()}:` : "";
      const values = option.long === "--runtime-dir" ? "_directories" : "";
      return quote(`${option.long}[${bracketed(option.description)}]${takes}${takes && values}`);
    });
    const words = verb.words.length === 0 ? [] : [quote(`1:argument:(${verb.words.join(" ")})`)];
    return `    ${verb.name}) _arguments ${[...specs, ...words].join(" ")} ;;`;
  });
  return `#compdef ${name}
# zsh completion for ${name}: source <(${name} completions zsh)
_${name}() {
  local -a verbs=(
${described.join("\n")}
  )
  local verb=\${words[(r)(${verbs.map((verb) => verb.name).join("|")})]}
  case $verb in
${cases.join("\n")}
    *) _describe verb verbs ;;
  esac
}
compdef _${name} ${name}
`;
}

function fish(name: string, verbs: readonly Verb[]): string {
  const lines = [`# fish completion for ${name}: ${name} completions fish | source`];
  for (const verb of verbs) {
    const about = `-d ${quote(verb.about)}`;
    lines.push(`complete -c ${name} -f -n __fish_use_subcommand -a ${verb.name} ${about}`);
    const seen = `-n ${quote(`__fish_seen_subcommand_from ${verb.name}`)}`;
    if (verb.words.length > 0) {
      lines.push(`complete -c ${name} -f ${seen} -a ${quote(verb.words.join(" "))}`);
    }
    for (const option of verb.options) {
      const takes = option.required ? (option.long === "--runtime-dir" ? " -r" : " -x") : "";
      const long = option.long?.slice(2);
      lines.push(`complete -c ${name} ${seen} -l ${long}${takes} -d ${quote(option.description)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function flagsOf(verb: Verb): string[] {
  return verb.options.flatMap((option) => option.long ?? []);
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Brackets and colons have a meaning of their own in zsh's specifications. */
function bracketed(text: string): string {
  return text.replace(/[[\]:\\]/g, "\\$&");
}

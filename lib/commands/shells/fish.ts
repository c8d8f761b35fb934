import {
  type Described,
  type DescribedOption,
  type DescribedVerb,
  flagsWithValue,
  type Values,
} from "./described.ts";
import { quoted } from "./quoted.ts";

/** The script that completes a program in fish. */
export function fish(described: Described): string {
  const { name, options, verbs } = described;
  const where = (verb: string) => `-n ${quoted(`__${name}_is ${quoted(verb)}`)}`;
  const one = (verb: string, { flag, about, values }: DescribedOption) =>
    `complete -c ${name} ${where(verb)} -l ${flag.slice(2)}` +
    `${values === null ? "" : action(values, name)} -d ${quoted(about)}`;
  const lines = [
    ...options.map((option) => one("", option)),
    ...verbs.flatMap((verb) => [
      `complete -c ${name} ${where("")} -a ${verb.name} -d ${quoted(verb.about)}`,
      ...argument(verb, name).map((words) => `complete -c ${name} ${where(verb.name)} ${words}`),
      ...verb.options.map((option) => one(verb.name, option)),
    ]),
  ];
  return `# fish completion for ${name}: ${name} completions fish | source

# The words from the first one on that is no option, nor the value of one.
function __${name}_rest
    set -l words $argv
    while set -q words[1]
        switch $words[1]
            case ${flagsWithValue(described).join(" ")}
                set -e words[1]
            case --
                set -e words[1]
                break
            case '-*'
            case '*'
                break
        end
        set -e words[1]
    end
    string join \\n -- $words
end

function __${name}_is
    set -l words (commandline -opc)
    set -l rest (__${name}_rest $words[2..-1])
    test "$rest[1]" = "$argv[1]"
end

# What runs, of the proxy that the line names.
function __${name}_ask
    set -l words (commandline -opc)
    set -l which
    if test $argv[1] = ids
        for flag in --runtime-dir --port
            if set -l at (contains -i -- $flag $words)
                set -a which $flag $words[(math $at + 1)]
            end
        end
    end
    $words[1] $which completions $argv[1] 2>/dev/null | string replace ' ' \\t
end

# A command that the line goes on with.
function __${name}_command
    set -l words (commandline -opc)
    set -l rest (__${name}_rest $words[2..-1])
    set -l command (__${name}_rest $rest[2..-1])
    complete -C "$(string join ' ' -- (string escape -- $command) (commandline -ct))"
end

complete -c ${name} -f
${lines.join("\n")}
`;
}

function action(values: Values, name: string): string {
  switch (values) {
    case "directories":
      return " -x -a '(__fish_complete_directories)'";
    case "commands":
      return " -x -a '(__fish_complete_command)'";
    case "ports":
      return ` -x -a '(__${name}_ask ports)'`;
    case "any":
      return " -x";
    default:
      return ` -x -a ${quoted(values.join(" "))}`;
  }
}

function argument({ argument }: DescribedVerb, name: string): string[] {
  switch (argument) {
    case null:
      return [];
    case "ids":
      return [`-a '(__${name}_ask ids)'`];
    case "command":
      return [`-a '(__${name}_command)'`];
    default:
      return [`-a ${quoted(argument.join(" "))}`];
  }
}

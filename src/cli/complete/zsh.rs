//! The completion script for zsh: a function on `fpath` (`_cloudconnexa-auth`), or sourced after
//! `compinit`.

use super::super::grammar::FlagRule;
use super::{Words, add, offered, program_flags, quoted, rules};

const HEAD: &str = r#"#compdef cloudconnexa-auth
# zsh completion for cloudconnexa-auth, made by `cloudconnexa-auth completions zsh`.

# The names of the profiles, of the configuration file that is given, if one is.
_cloudconnexa-auth_profiles() {
    local json file=${(Q)opt_args[--config]:-$config}
    local -a names match mbegin mend
    [[ -n $file ]] && file=${file/#\~\//$HOME/}
    json=$(cloudconnexa-auth ${file:+--config} ${file:+"$file"} list 2>/dev/null </dev/null)
    while [[ $json =~ '"name":"([A-Za-z0-9._-]+)"(.*)' ]]; do
        names+=("$match[1]")
        json=$match[2]
    done
    _describe -t profiles profile names
}

_cloudconnexa-auth_commands() {
    local -a commands=(
"#;

const MAIN: &str = r"    )
    [[ $argv[-1] == help ]] && commands+=('help:Show the help of a command')
    _describe -t commands command commands
}

_cloudconnexa-auth() {
    local curcontext=$curcontext state line config ret=1
    local -A opt_args
    _arguments -C \
";

const PROGRAM: &str = r"        '(-):command:_cloudconnexa-auth_commands help' \
        '(-)*::argument:->argument' && ret=0
    if [[ $state == argument ]]; then
        curcontext=${curcontext%:*:*}:cloudconnexa-auth-$words[1]:
        config=${(Q)opt_args[--config]} # in front of the command
        case $words[1] in
        help) _arguments '1:command:_cloudconnexa-auth_commands' && ret=0 ;;
";

/// The command line of another program begins after `--`.
const REST: &str = r"            if ((words[(i)--] < CURRENT)); then
                CURRENT=$((CURRENT - words[(i)--]))
                shift ${words[(i)--]} words
                _normal && ret=0
                return ret
            fi
";

const TAIL: &str = r#"        esac
    fi
    return ret
}

if [[ $funcstack[1] == _cloudconnexa-auth ]]; then
    _cloudconnexa-auth "$@"
else
    compdef _cloudconnexa-auth cloudconnexa-auth
fi
"#;

pub(super) fn script() -> String {
    let mut script = HEAD.to_owned();
    for rule in rules() {
        add(
            &mut script,
            &format!("        '{}:{}'", rule.name, plain(rule.summary)),
        );
    }
    script.push_str(MAIN);
    for rule in program_flags() {
        add(&mut script, &format!("        {} \\", flag(rule)));
    }
    script.push_str(PROGRAM);
    for rule in rules() {
        let mut specs: Vec<String> = offered(&rule).into_iter().map(flag).collect();
        specs.extend(rule.literal_flags().map(|name| format!("'{name}'")));
        for (place, text) in rule.words().enumerate() {
            let is_optional = if text.starts_with('[') { ":" } else { "" };
            let action = action(&Words::of_placeholder(text));
            let name = text.trim_matches(['[', ']']).to_ascii_lowercase();
            let name = if name.contains('|') { "word" } else { &name };
            specs.push(format!("'{}:{is_optional}{name}:{action}'", place + 1));
        }
        // `(-)`: no flag of this program is offered after the first word.
        match rule.rest {
            Some("COMMAND") => {
                specs.push("'(-)1:command:_command_names -e'".to_owned());
                specs.push("'*::argument:_normal'".to_owned());
            }
            Some(name) => {
                specs.push(format!("'(-)1:{}: '", name.to_ascii_lowercase()));
                specs.push("'*:argument:_files'".to_owned());
            }
            None => {}
        }
        let specs = [vec![String::new()], specs].concat();
        let specs = specs.join(" \\\n            ");
        let name = rule.name;
        add(&mut script, &format!("        {name})"));
        if rule.rest == Some("COMMAND") {
            script.push_str(REST);
        }
        let call = format!("            _arguments -S{specs} && ret=0");
        add(&mut script, &call);
        script.push_str("            ;;\n");
    }
    script.push_str(TAIL);
    script
}

fn flag(rule: &FlagRule) -> String {
    let help: String = plain(rule.help)
        .replace('[', "\\[")
        .replace(']', "\\]")
        .replace(':', "\\:");
    let value = match (rule.value, Words::of_flag(rule)) {
        (Some(name), Some(value)) => {
            format!(
                ":{}:{}",
                name.to_ascii_lowercase().replace('|', " or "),
                action(&value)
            )
        }
        _ => String::new(),
    };
    // `=` also allows the value in the same word.
    let equals = if rule.value.is_some() { "=" } else { "" };
    let long = rule.long;
    match rule.short {
        Some(short) => format!("'(-{short} --{long})'{{-{short},--{long}}}'[{help}]'"),
        None if long == "env" => format!("'*--{long}{equals}[{help}]{value}'"),
        None => format!("'--{long}{equals}[{help}]{value}'"),
    }
}

fn action(words: &Words) -> String {
    match words {
        Words::Unknown => " ".to_owned(),
        Words::These(words) => format!("({})", words.join(" ")),
        Words::Verbs => "_cloudconnexa-auth_commands".to_owned(),
        Words::Profiles => "_cloudconnexa-auth_profiles".to_owned(),
        Words::Files => "_files".to_owned(),
    }
}

fn plain(text: &str) -> String {
    quoted(text, "'\\''")
}

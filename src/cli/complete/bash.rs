//! The completion script for bash 3.2 (the version on macOS) and newer. It works without the
//! bash-completion package.

use super::super::grammar::FLAGS;
use super::{Words, add, offered_names, program_flag_names, rules, subcommand_names, with_rest};

/// The fixed part of the script. The tables are generated from the grammar.
const HEAD: &str = r#"# bash completion for cloudconnexa-auth, made by `cloudconnexa-auth completions bash`.

# The names of the profiles, of this configuration file if one is given.
_cloudconnexa_auth_profiles() {
    local json name='"name":"([A-Za-z0-9._-]+)"(.*)'
    json=$(cloudconnexa-auth ${1:+--config "${1/#\~\//$HOME/}"} list 2>/dev/null </dev/null)
    while [[ $json =~ $name ]]; do
        printf '%s\n' "${BASH_REMATCH[1]}"
        json=${BASH_REMATCH[2]}
    done
}

# What may stand behind this flag: sets $kind and $words.
_cloudconnexa_auth_value() {
    case $1 in
"#;

const MIDDLE: &str = r"    *) return 1 ;;
    esac
}

# What may stand at this place behind this command: sets $kind and $words.
_cloudconnexa_auth_operand() {
    case $1:$2 in
";

const FLAGS_OF: &str = r"    esac
}

# The flags of this command: sets $words.
_cloudconnexa_auth_flags() {
    case $1 in
";

const TAIL: &str = r#"    esac
}

_cloudconnexa_auth() {
    local cur=${COMP_WORDS[COMP_CWORD]} subcommand='' flag='' config='' place=0 rest=0 foreign=0
    local i word kind='' words='' IFS=$' \t\n'
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD && rest == 0; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == '=' ]]; then
            continue # bash makes three words of --flag=value
        elif [[ -n $flag ]]; then
            [[ $flag == --config ]] && config=$word
            flag=''
        elif _cloudconnexa_auth_value "$word"; then
            flag=$word
        elif [[ $word == -- && $takes_rest == *" $subcommand "* ]]; then
            rest=$((i + 1))
        elif [[ $word == -* ]]; then
            continue
        elif [[ -z $subcommand || $subcommand == help ]]; then
            subcommand=$word
        elif [[ $takes_rest == *" $subcommand "* ]]; then
            rest=$i
        elif [[ $hands_on == *" $subcommand "* ]]; then
            foreign=1
            break
        else
            place=$((place + 1))
        fi
    done
    kind='' words=''
    [[ $cur == '=' ]] && cur=''
    if ((rest > 0)); then
        if declare -F _command_offset >/dev/null; then
            _command_offset "$rest"
            return
        elif ((rest == COMP_CWORD)); then
            kind=commands
        else
            kind=files
        fi
    elif ((foreign)); then
        kind=files
    elif [[ -n $flag ]]; then
        _cloudconnexa_auth_value "$flag"
    elif [[ $cur == -* ]]; then
        _cloudconnexa_auth_flags "$subcommand"
    elif [[ $takes_rest == *" $subcommand "* ]]; then
        kind=commands
    else
        _cloudconnexa_auth_operand "$subcommand" "$place"
    fi
    case $kind in
    profiles) words=$(_cloudconnexa_auth_profiles "$config") ;;
    files)
        IFS=$'\n'
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    commands)
        COMPREPLY=($(compgen -c -- "$cur"))
        return
        ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}

complete -F _cloudconnexa_auth cloudconnexa-auth
"#;

pub(super) fn script() -> String {
    let mut script = HEAD.to_owned();
    for rule in FLAGS {
        if let Some(value) = Words::of_flag(rule) {
            line(&mut script, &format!("--{}", rule.long), &value);
        }
    }
    script.push_str(MIDDLE);
    let with_help = ["help"].into_iter().chain(subcommand_names()).collect();
    line(&mut script, ":0", &Words::These(with_help));
    line(&mut script, "help:0", &Words::Verbs);
    for rule in rules() {
        for (place, text) in rule.words().enumerate() {
            let pattern = format!("{}:{place}", rule.name);
            line(&mut script, &pattern, &Words::of_placeholder(text));
        }
    }
    script.push_str(FLAGS_OF);
    add(
        &mut script,
        &format!("    '') words='{}' ;;", program_flag_names()),
    );
    for rule in rules() {
        let line = format!("    {}) words='{}' ;;", rule.name, offered_names(&rule));
        add(&mut script, &line);
    }
    let locals = format!(
        "    local takes_rest=' {} ' hands_on=' {} '\n    COMPREPLY=()\n",
        with_rest(true).join(" "),
        with_rest(false).join(" "),
    );
    script.push_str(&TAIL.replace("    COMPREPLY=()\n", &locals));
    script
}

fn line(script: &mut String, pattern: &str, value: &Words) {
    let sets = match value {
        Words::Unknown => "kind=unknown".to_owned(),
        Words::These(words) => format!("words='{}'", words.join(" ")),
        Words::Verbs => format!("words='{}'", subcommand_names().join(" ")),
        Words::Profiles => "kind=profiles".to_owned(),
        Words::Files => "kind=files".to_owned(),
    };
    add(script, &format!("    {pattern}) {sets} ;;"));
}

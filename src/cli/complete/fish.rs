//! The completion script for fish 3 and newer.

use super::super::grammar::{FLAGS, FlagRule};
use super::{Words, offered, program_flags, quoted, rules, subcommand_names};

const HEAD: &str = r#"# fish completion for cloudconnexa-auth, made by `cloudconnexa-auth completions fish`.

# The words that are typed already and are no flags, the command first.
function __cloudconnexa_auth_words
    set -l words (commandline -opc)
    set -l is_value 0
    for word in $words[2..-1]
        if test $is_value = 1
            set is_value 0
            continue
        end
        switch $word
            case --
                return
            case WITH_VALUE
                set is_value 1
            case '-*'
            case '*'
                echo $word
        end
    end
end

# Whether this command is typed, with so many words behind it, if a number is given.
function __cloudconnexa_auth_is
    set -l words (__cloudconnexa_auth_words)
    if test "$words[1]" = help
        set -e words[1]
    end
    test "$words[1]" = $argv[1]; or return
    test (count $argv) = 1; or test (count $words) = (math $argv[2] + 1)
end

# Whether no command is typed yet.
function __cloudconnexa_auth_needs_command
    set -l words (__cloudconnexa_auth_words)
    test (count $words) = 0; or test "$words" = help
end

# The names of the profiles, of the configuration file that is given, if one is.
function __cloudconnexa_auth_profiles
    set -l words (commandline -opc)
    set -l config
    if set -l at (contains -i -- --config $words)
        set config --config (string replace -r '^~/' "$HOME/" -- $words[(math $at + 1)])
    end
    cloudconnexa-auth $config list 2>/dev/null </dev/null \
        | string match -rag '"name":"([A-Za-z0-9._-]+)"'
end

# What completes the command line behind `--`.
function __cloudconnexa_auth_rest
    set -l words (commandline -opc)
    if set -l at (contains -i -- -- $words)
        set -e words[1..$at]
        complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
    end
end

complete -c cloudconnexa-auth -f
"#;

pub(super) fn script() -> String {
    let with_value: Vec<String> = FLAGS
        .iter()
        .filter(|rule| rule.value.is_some())
        .map(|rule| format!("--{}", rule.long))
        .collect();
    let mut script = HEAD.replace("WITH_VALUE", &with_value.join(" "));
    let needs = "-n __cloudconnexa_auth_needs_command ";
    for rule in program_flags() {
        flag(&mut script, needs, rule);
    }
    add(
        &mut script,
        needs,
        "-a help -d 'Show the help of a command'",
    );
    commands(&mut script, needs);
    for rule in rules() {
        for (place, text) in rule.words().enumerate() {
            let is_next = format!("-n '__cloudconnexa_auth_is {} {place}' ", rule.name);
            match Words::of_placeholder(text) {
                Words::Verbs => commands(&mut script, &is_next),
                Words::Unknown => {}
                words => add(&mut script, &is_next, &values(&words)),
            }
        }
        let is = format!("-n '__cloudconnexa_auth_is {}' ", rule.name);
        // The words after the first word of COMMAND are arguments of another program.
        let takes_flags = match rule.rest {
            Some(_) => format!("-n '__cloudconnexa_auth_is {} 0' ", rule.name),
            None => is.clone(),
        };
        for offered in offered(&rule) {
            flag(&mut script, &takes_flags, offered);
        }
        for literal in rule.literal_flags() {
            let name = literal.trim_start_matches('-');
            add(&mut script, &is, &format!("-l {name}"));
        }
        match rule.rest {
            Some("COMMAND") => add(&mut script, &is, "-a '(__cloudconnexa_auth_rest)'"),
            Some(_) => add(&mut script, &is, "-F"),
            None => {}
        }
    }
    script
}

fn add(script: &mut String, condition: &str, what: &str) {
    super::add(
        script,
        &format!("complete -c cloudconnexa-auth {condition}{what}"),
    );
}

fn commands(script: &mut String, condition: &str) {
    for rule in rules() {
        let summary = plain(rule.summary);
        add(
            script,
            condition,
            &format!("-a {} -d '{summary}'", rule.name),
        );
    }
}

fn flag(script: &mut String, condition: &str, rule: &FlagRule) {
    let short = rule.short.map(|short| format!(" -s {short}"));
    let value = Words::of_flag(rule).map(|words| format!(" -r {}", values(&words)));
    let (short, value) = (short.unwrap_or_default(), value.unwrap_or_default());
    let help = plain(rule.help);
    add(
        script,
        condition,
        &format!("-l {}{short}{value} -d '{help}'", rule.long),
    );
}

/// The arguments of `complete` that offer these completions.
fn values(words: &Words) -> String {
    match words {
        Words::Unknown => "-f".to_owned(),
        Words::These(words) => format!("-f -a '{}'", words.join(" ")),
        Words::Verbs => format!("-f -a '{}'", subcommand_names().join(" ")),
        Words::Profiles => "-f -a '(__cloudconnexa_auth_profiles)'".to_owned(),
        Words::Files => "-F".to_owned(),
    }
}

fn plain(text: &str) -> String {
    quoted(text, "\\'")
}

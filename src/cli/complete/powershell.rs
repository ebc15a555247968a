//! The completion script for PowerShell 5.1 and newer.

use super::super::grammar::FLAGS;
use super::{
    Words, add, offered_names, program_flag_names, quoted, rules, subcommand_names, with_rest,
};

const HEAD: &str = r"# PowerShell completion for cloudconnexa-auth, made by `cloudconnexa-auth completions powershell`.

Register-ArgumentCompleter -Native -CommandName 'cloudconnexa-auth', 'cloudconnexa-auth.exe' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commands = [ordered]@{
";

const TAIL: &str = r#"    }

    # The words in front of the one that is completed: which are the command and its operands?
    $command = ''
    $flag = ''
    $config = ''
    $place = 0
    $isOurs = $true
    $elements = @($commandAst.CommandElements | Select-Object -Skip 1)
    foreach ($element in $elements) {
        if ($element.Extent.EndOffset -ge $cursorPosition -and $wordToComplete -ne '') { break }
        $word = $element.Extent.Text
        if ($flag -ne '') {
            if ($flag -eq '--config') { $config = $word.Trim("'", '"') }
            $flag = ''
        } elseif ($values.Contains($word)) {
            $flag = $word
        } elseif ($word.StartsWith('-')) {
            if ($word -eq '--') { $isOurs = $false }
        } elseif ($command -eq '' -or $command -eq 'help') {
            $command = $word
        } else {
            $place++
            if ($takesRest -contains $command) { $isOurs = $false }
        }
    }
    if (-not $isOurs) { return }

    $kind = ''
    if ($flag -ne '') {
        $kind = $values[$flag]
    } elseif ($wordToComplete.StartsWith('-')) {
        $kind = $flags[$command]
    } elseif ($command -eq '' -or ($command -eq 'help' -and $place -eq 0)) {
        foreach ($name in $commands.Keys) {
            if ($name.StartsWith($wordToComplete)) {
                [System.Management.Automation.CompletionResult]::new(
                    $name, $name, 'ParameterValue', $commands[$name])
            }
        }
        return
    } elseif ($operands.Contains("$command $place")) {
        $kind = $operands["$command $place"]
    }

    if ($kind -eq ':files') { return } # PowerShell completes them by itself
    if ($kind -eq ':profiles') {
        $options = @()
        if ($config -ne '') { $options = @('--config', $config) }
        $answer = cloudconnexa-auth @options list 2>$null
        if (-not $answer) { return }
        $kind = ($answer | ConvertFrom-Json).profiles.name -join ' '
    }
    foreach ($name in ($kind -split ' ')) {
        if ($name -ne '' -and $name.StartsWith($wordToComplete)) {
            [System.Management.Automation.CompletionResult]::new(
                $name, $name, 'ParameterValue', $name)
        }
    }
}
"#;

pub(super) fn script() -> String {
    let mut script = HEAD.to_owned();
    for rule in rules() {
        entry(&mut script, rule.name, &quoted(rule.summary, "''"));
    }
    entry(&mut script, "help", "Show the help of a command");
    script.push_str("    }\n    $values = @{\n");
    for rule in FLAGS {
        if let Some(value) = Words::of_flag(rule) {
            entry(&mut script, &format!("--{}", rule.long), &words(&value));
        }
    }
    script.push_str("    }\n    $operands = @{\n");
    for rule in rules() {
        for (place, text) in rule.words().enumerate() {
            let key = format!("{} {place}", rule.name);
            entry(&mut script, &key, &words(&Words::of_placeholder(text)));
        }
    }
    let rest: Vec<String> = [with_rest(true), with_rest(false)]
        .concat()
        .into_iter()
        .map(|name| format!("'{name}'"))
        .collect();
    add(
        &mut script,
        &format!(
            "    }}\n    $takesRest = @({})\n    $flags = @{{",
            rest.join(", "),
        ),
    );
    entry(&mut script, "", &program_flag_names());
    for rule in rules() {
        entry(&mut script, rule.name, &offered_names(&rule));
    }
    script.push_str(TAIL);
    script
}

fn entry(script: &mut String, key: &str, value: &str) {
    add(script, &format!("        '{key}' = '{value}'"));
}

fn words(words: &Words) -> String {
    match words {
        Words::Unknown => String::new(),
        Words::These(words) => words.join(" "),
        Words::Verbs => subcommand_names().join(" "),
        Words::Profiles => ":profiles".to_owned(),
        Words::Files => ":files".to_owned(),
    }
}

//! `ticketsense theory`: every closed form, as a calculator.

use super::Answer;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value, json};
use ticketsense::theory::{self, Argument, ClosedForm, Domain, Quantity, Scalar};
use ticketsense::{Error, Result};

/// `theory`, with one subcommand a closed form, and `list`.
pub fn command() -> Command {
    let list = Command::new("list").about("Every closed form, with its arguments, formula and source");
    Command::new("theory")
        .about("Evaluate a closed form of the theory")
        .long_about(
            "Evaluate a closed form of the theory. `theory list` shows them all, `theory NAME --help` one of them.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(list)
        .subcommands(theory::CLOSED_FORMS.iter().map(|form| describe(form)))
}

fn describe(form: &'static ClosedForm) -> Command {
    let details = format!(
        "{}\n\nFormula: {}\nSource: {}\nClaims: {}",
        form.summary,
        form.formula,
        form.source,
        form.claims.join(", ")
    );
    Command::new(form.name)
        .about(form.summary)
        .long_about(details)
        .args(form.arguments.iter().map(option))
}

fn option(argument: &'static Argument) -> Arg {
    let option = Arg::new(argument.name).long(argument.name);
    if argument.domain == Domain::Flag {
        return option.action(ArgAction::SetTrue).help(argument.meaning);
    }
    let unit = if argument.unit == "1" {
        String::new()
    } else {
        format!(", in {}", argument.unit)
    };
    let help = match argument.domain {
        // clap lists the words itself.
        Domain::Choice(_) => argument.meaning.to_string(),
        domain => format!("{}{unit}; {domain}", argument.meaning),
    };
    let option = option
        .help(help)
        .value_name(value_name(argument))
        .required(argument.required)
        // "-0.1" is a wrong number, not an unknown option.
        .allow_negative_numbers(true);
    let option = match argument.domain {
        Domain::Choice(words) => option.value_parser(clap::builder::PossibleValuesParser::new(words)),
        _ => option,
    };
    match argument.default {
        Some(default) => option.default_value(default),
        None => option,
    }
}

fn value_name(argument: &Argument) -> &'static str {
    match argument.domain {
        Domain::Integer { .. } => "INTEGER",
        Domain::Choice(_) => "WORD",
        _ => "NUMBER",
    }
}

/// Lists the closed forms, or evaluates the one that was named.
pub fn run(matches: &ArgMatches) -> Result<Answer> {
    match matches.subcommand() {
        Some(("list", _)) => Ok(list()),
        Some((name, given)) => evaluate(theory::find(name)?, given),
        None => Err(Error::argument(
            "theory",
            "the name of a closed form, or list",
            "nothing",
        )),
    }
}

fn evaluate(form: &'static ClosedForm, given: &ArgMatches) -> Result<Answer> {
    let mut texts: Vec<(&str, &str)> = Vec::new();
    for argument in form.arguments {
        if argument.domain == Domain::Flag {
            texts.push((
                argument.name,
                if given.get_flag(argument.name) { "true" } else { "false" },
            ));
        } else if let Some(text) = given.get_one::<String>(argument.name) {
            texts.push((argument.name, text));
        }
    }
    let arguments = form.parse(&texts)?;
    let answer = (form.evaluate)(&arguments)?;

    let mut json = Map::new();
    json.insert("name".into(), json!(form.name));
    let echoed: Map<String, Value> = arguments
        .iter()
        .map(|(name, value)| (name.into(), to_json(value)))
        .collect();
    json.insert("arguments".into(), Value::Object(echoed));
    for quantity in &answer {
        json.insert(quantity.name.into(), to_json(&quantity.value));
    }
    Ok(Answer {
        text: table(&answer),
        json: Value::Object(json),
        code: 0,
    })
}

fn list() -> Answer {
    let mut text = String::new();
    let mut forms = Vec::new();
    for form in theory::CLOSED_FORMS {
        text.push_str(&format!("{}\n    {}\n", usage(form), form.summary));
        text.push_str(&format!(
            "    {}\n    claims {}; {}\n",
            form.formula,
            form.claims.join(", "),
            form.source
        ));
        let arguments: Vec<Value> = form.arguments.iter().map(argument_json).collect();
        forms.push(json!({
            "name": form.name,
            "summary": form.summary,
            "arguments": arguments,
            "formula": form.formula,
            "source": form.source,
            "claims": form.claims,
        }));
    }
    Answer {
        text,
        json: json!({ "closed_forms": forms }),
        code: 0,
    }
}

fn usage(form: &ClosedForm) -> String {
    let mut usage = form.name.to_string();
    for argument in form.arguments {
        let option = match argument.domain {
            Domain::Flag => format!("--{}", argument.name),
            _ => format!("--{} {}", argument.name, value_name(argument)),
        };
        usage.push_str(&if argument.required {
            format!(" {option}")
        } else {
            format!(" [{option}]")
        });
    }
    usage
}

fn argument_json(argument: &Argument) -> Value {
    // A default is a value of the argument's own kind: a number stays a number.
    let default = match (argument.domain, argument.default) {
        (Domain::Flag, None) => json!(false),
        (_, None) => Value::Null,
        (_, Some(text)) => argument.parse(text).as_ref().map_or(Value::Null, to_json),
    };
    json!({
        "name": argument.name,
        "meaning": argument.meaning,
        "unit": argument.unit,
        "range": argument.domain.to_string(),
        "default": default,
        "required": argument.required,
    })
}

/// A number as JSON; one that is not finite becomes null.
fn to_json(value: &Scalar) -> Value {
    match value {
        Scalar::Real(v) => json!(v),
        Scalar::Integer(v) => json!(v),
        Scalar::Text(v) => json!(v),
        Scalar::Flag(v) => json!(v),
        other => json!(other.to_string()),
    }
}

fn table(answer: &[Quantity]) -> String {
    let cells: Vec<(&str, String, &str)> = answer
        .iter()
        .map(|q| (q.name, q.value.to_string(), q.meaning))
        .collect();
    let widest = |f: fn(&(&str, String, &str)) -> usize| cells.iter().map(f).max().unwrap_or(0);
    let names = widest(|cell| cell.0.len());
    let values = widest(|cell| cell.1.chars().count());
    cells
        .iter()
        .map(|(name, value, meaning)| format!("{name:names$}  {value:values$}  {meaning}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &str) -> std::result::Result<Answer, String> {
        let matches = command()
            .try_get_matches_from(line.split(' '))
            .map_err(|error| error.to_string())?;
        run(&matches).map_err(|error| error.to_string())
    }

    #[test]
    fn the_description_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn an_answer_names_itself_its_arguments_and_its_value() {
        let answer = ask("theory imp-density --prune-fraction 0.2 --rounds 5 --weights 1e5").unwrap();
        assert_eq!(answer.json["name"], "imp-density");
        assert_eq!(answer.json["arguments"]["weights"], 100_000);
        assert_eq!(answer.json["arguments"]["prune-fraction"], 0.2);
        assert_eq!(answer.json["kept"], 32_768);
        assert!((answer.json["value"].as_f64().unwrap() - 0.327_68).abs() < 1e-15);
        assert!(answer.text.starts_with("value"), "{}", answer.text);
        assert_eq!(answer.code, 0);
    }

    #[test]
    fn defaults_and_flags_are_echoed() {
        let answer = ask("theory percolation-survival --fan-out 2 --keep 0.75").unwrap();
        assert_eq!(answer.json["arguments"]["law"], "binomial");
        assert!(answer.json["arguments"].get("depth").is_none());
        let signed = ask("theory donoho-tanner --delta 0.5").unwrap();
        let nonnegative = ask("theory donoho-tanner --delta 0.5 --nonnegative").unwrap();
        assert_eq!(signed.json["arguments"]["nonnegative"], false);
        assert_eq!(nonnegative.json["arguments"]["nonnegative"], true);
        assert!(signed.json["value"].as_f64() < nonnegative.json["value"].as_f64());
    }

    #[test]
    fn what_does_not_exist_is_null_and_none() {
        let answer = ask("theory mask-breakeven --weight-bits 1").unwrap();
        assert!(answer.json["bitmap"].is_null());
        assert!(answer.text.contains("none"));
    }

    #[test]
    fn a_negative_number_is_refused_as_a_number() {
        let error = ask("theory mask-gain --density -0.1 --weight-bits 32").unwrap_err();
        assert!(
            error.contains("density: expected a number in [0, 1], got -0.1"),
            "{error}"
        );
        assert!(ask("theory mask-gain --density 0.1").is_err());
        assert!(ask("theory dst-equilibrium --density 0.1 --regrow 0.1 --protocol swap").is_err());
    }

    #[test]
    fn the_list_has_every_closed_form_with_typed_defaults() {
        let answer = ask("theory list").unwrap();
        let forms = answer.json["closed_forms"].as_array().unwrap();
        assert_eq!(forms.len(), theory::CLOSED_FORMS.len());
        for form in forms {
            for key in ["name", "formula", "source"] {
                assert!(form[key].is_string(), "{key} of {form}");
            }
            assert!(form["claims"].is_array());
            for argument in form["arguments"].as_array().unwrap() {
                for key in ["name", "unit", "range"] {
                    assert!(argument[key].is_string(), "{key} of {argument}");
                }
                assert!(argument.get("default").is_some());
            }
        }
        let gain = forms.iter().find(|form| form["name"] == "mask-gain").unwrap();
        assert_eq!(gain["arguments"][2]["default"], 0.0);
        assert_eq!(gain["arguments"][3]["default"], Value::Null);
    }

    #[test]
    fn help_shows_units_ranges_and_defaults() {
        let mut command = command();
        let help = command
            .find_subcommand_mut("mask-gain")
            .unwrap()
            .render_long_help()
            .to_string();
        for part in ["in bits", "[0, 1]", "[default: 0]", "Formula:", "B2"] {
            assert!(help.contains(part), "{part} in {help}");
        }
    }
}

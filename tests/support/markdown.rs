//! The documentation as something to run: the fenced blocks of a Markdown file, and the directives before them.
//!
//! A directive is a comment of its own, which no reader sees: `<!-- test: WORD -->` or `<!-- test: WORD: VALUE -->`.
//! [`What`] and [`Marks`] say which there are. Nothing can hide: an indented block, a block without a language, a
//! directive that nobody knows or that stands before no block is an error.

use std::ops::Range;
use std::path::Path;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// What a file has to say to the tests, from top to bottom.
pub struct Step {
    /// Its first line, from 1 on.
    pub line: usize,
    pub what: What,
}

pub enum What {
    /// `fresh`: from here on in a new home.
    Fresh,
    /// `keyring`: from here on there is a keyring.
    Keyring,
    /// `sign-in`: from here on there is an authorization server, and a browser whose person allows everything.
    SignIn,
    /// `wrangler`: from here on the real one is in `PATH`.
    Wrangler,
    /// `docker`: from here on there is a stand-in for it, with the image `busybox`.
    Docker,
    /// `needs: PROGRAM…`: where one is not installed, the file ends here.
    Needs(Vec<String>),
    /// `setup: COMMANDS`: run in the same shell, unseen.
    Setup(String),
    /// `program: NAME: SCRIPT`: a stand-in in `PATH`, for a program that is too heavy or not to be had here.
    Program(String, String),
    Block(Block),
}

/// A fenced block.
pub struct Block {
    pub language: String,
    /// What is between the fences.
    pub text: String,
    /// The lines of it, from 0 on.
    pub lines: Range<usize>,
    pub marks: Marks,
}

/// What the directives just before a block say of it.
#[derive(Default)]
pub struct Marks {
    /// `skip because REASON`: it is not run.
    pub skip: Option<String>,
    /// `status: N`: its last command ends with that; all others must succeed.
    pub status: Option<i32>,
    /// `file: PATH`: it is the content of that file.
    pub file: Option<String>,
    /// `keys: TEXT => KEY; …`: what a person presses when that is shown by its first command: `enter`, `down`, or
    /// what is typed.
    pub keys: Vec<(String, String)>,
    /// `schema: NAME`: what a linter must know to read it.
    pub schema: Option<String>,
}

impl Marks {
    fn is_given(&self) -> bool {
        self.skip.is_some()
            || self.status.is_some()
            || self.file.is_some()
            || !self.keys.is_empty()
            || self.schema.is_some()
    }
}

/// Everything in a file that is to be run or checked.
///
/// # Errors
/// Line and reason where something would escape.
pub fn steps(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut marks = Marks::default();
    let mut events = Parser::new(text).into_offset_iter();
    while let Some((event, range)) = events.next() {
        let line = line_of(text, range.start);
        let wrong = |why: &str| Err(format!("line {line}: {why}"));
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) => {
                return wrong("an indented block is not run; fence it, with a language");
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                if language.is_empty() {
                    return wrong("a block without a language is not run");
                }
                if !text[..range.start].is_empty() && !text[..range.start].ends_with('\n') {
                    return wrong("a block inside a list or a quotation cannot be kept up to date");
                }
                let mut body = String::new();
                for (event, _) in events.by_ref() {
                    match event {
                        Event::Text(text) => body.push_str(&text),
                        Event::End(TagEnd::CodeBlock) => break,
                        _ => {}
                    }
                }
                let lines = line..line + body.lines().count();
                let (language, marks) = (language.into_string(), std::mem::take(&mut marks));
                steps.push(Step { line, what: What::Block(Block { language, text: body, lines, marks }) });
            }
            Event::Start(Tag::HtmlBlock) => {
                let mut at = range.start;
                for comment in text[range].split_inclusive("-->") {
                    let line = line_of(text, at + comment.len() - comment.trim_start().len());
                    at += comment.len();
                    if let Some(directive) = directive(comment) {
                        let step =
                            mark(&mut marks, directive).map_err(|why| format!("line {line}: {why}"))?;
                        steps.extend(step.map(|what| Step { line, what }));
                    }
                }
            }
            Event::InlineHtml(html) if html.contains("test:") => {
                return wrong("a directive stands on lines of its own");
            }
            Event::Start(Tag::Heading { .. }) if marks.is_given() => {
                return wrong("the directive before this stands before no block");
            }
            _ => {}
        }
    }
    if marks.is_given() {
        return Err("the last directive stands before no block".to_owned());
    }
    Ok(steps)
}

/// The file of this name that a page of the documentation shows.
pub fn file(page: &str, name: &str) -> String {
    let text = std::fs::read_to_string(Path::new(super::PROJECT).join(page)).expect("read");
    let blocks = steps(&text).expect("sound").into_iter().filter_map(|step| match step.what {
        What::Block(block) => Some(block),
        _ => None,
    });
    let named = blocks.into_iter().find(|block| block.marks.file.as_deref() == Some(name));
    named.unwrap_or_else(|| panic!("no {name} in {page}")).text
}

/// Where the links of a text lead.
pub fn links(text: &str) -> Vec<String> {
    let links = Parser::new(text).filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. }) => Some(dest_url.into_string()),
        _ => None,
    });
    links.collect()
}

/// What a link to a heading has behind its `#`, as GitHub makes it: small letters, digits, `-` for a blank.
pub fn anchors(text: &str) -> Vec<String> {
    let mut anchors = Vec::new();
    let mut heading: Option<String> = None;
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                let Some(heading) = &mut heading else { continue };
                let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
                let kept = kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c });
                heading.extend(kept);
            }
            Event::End(TagEnd::Heading(_)) => anchors.extend(heading.take()),
            _ => {}
        }
    }
    anchors
}

/// The line at an offset, from 1 on.
fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

/// What a comment tells the tests.
fn directive(comment: &str) -> Option<&str> {
    Some(comment.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim().strip_prefix("test:")?.trim())
}

/// Notes what a directive says of the next block, or returns it as a step of its own.
fn mark(marks: &mut Marks, directive: &str) -> Result<Option<What>, String> {
    let end = directive.find([':', ' ']).unwrap_or(directive.len());
    let (word, value) = (&directive[..end], directive[end..].trim_start_matches(':').trim());
    match (word, value) {
        ("fresh", "") => return Ok(Some(What::Fresh)),
        ("keyring", "") => return Ok(Some(What::Keyring)),
        ("sign-in", "") => return Ok(Some(What::SignIn)),
        ("docker", "") => return Ok(Some(What::Docker)),
        ("wrangler", "") => return Ok(Some(What::Wrangler)),
        ("needs", programs) => {
            return Ok(Some(What::Needs(programs.split_whitespace().map(str::to_owned).collect())));
        }
        ("setup", commands) => return Ok(Some(What::Setup(commands.to_owned()))),
        ("program", value) => {
            let (name, script) = value.split_once(':').ok_or("program: NAME: SCRIPT")?;
            return Ok(Some(What::Program(name.trim().to_owned(), script.trim().to_owned())));
        }
        ("skip", reason) => {
            let reason = reason.strip_prefix("because ").ok_or("skip because REASON")?;
            marks.skip = Some(reason.to_owned());
        }
        ("status", status) => marks.status = Some(status.parse().map_err(|_| "status: NUMBER")?),
        ("file", path) => marks.file = Some(path.to_owned()),
        ("schema", name) => marks.schema = Some(name.to_owned()),
        ("keys", keys) => {
            for key in keys.split([';', '\n']).filter(|key| !key.trim().is_empty()) {
                let (shown, key) = key.split_once("=>").ok_or("keys: TEXT => KEY; …")?;
                marks.keys.push((shown.trim().to_owned(), key.trim().to_owned()));
            }
        }
        _ => return Err(format!("nobody knows the directive '{word}', or not so")),
    }
    Ok(None)
}

/// A command of a `console` block, and what is said to come of it.
pub struct Command {
    /// Its first line in the file, from 1 on.
    pub line: usize,
    pub text: String,
    pub expected: String,
}

/// The commands of a `console` block: `$ ` begins one, and while it is not complete, `> ` goes on with it.
///
/// # Errors
/// When it begins with something else.
pub fn commands(block: &Block, is_complete: impl Fn(&str) -> bool) -> Result<Vec<Command>, String> {
    let mut commands: Vec<Command> = Vec::new();
    for (at, text) in block.text.lines().enumerate() {
        let line = block.lines.start + at + 1;
        if let Some(command) = text.strip_prefix("$ ") {
            commands.push(Command { line, text: command.to_owned(), expected: String::new() });
            continue;
        }
        let Some(last) = commands.last_mut() else {
            return Err(format!("line {line}: a block for the console begins with '$ '"));
        };
        match text.strip_prefix("> ") {
            Some(more) if last.expected.is_empty() && !is_complete(&last.text) => {
                last.text.push('\n');
                last.text.push_str(more);
            }
            _ => {
                last.expected.push_str(text);
                last.expected.push('\n');
            }
        }
    }
    Ok(commands)
}

impl Command {
    /// How it stands in the block.
    pub fn shown(&self) -> String {
        format!("$ {}\n", self.text.replace('\n', "\n> "))
    }
}

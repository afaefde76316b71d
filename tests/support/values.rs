//! Values that a shell could misread.

/// Values that break naive quoting, with `¦` between them.
const NASTY: [&str; 16] = [
    r"¦ ¦  ¦ a¦a ¦a  b   c ¦-¦-n¦--¦-x y¦+x¦-e¦end¦fi¦cfut_0-_.Zz9",
    r"=¦==¦a=b¦=ls¦~¦~/x¦a:~¦~root¦~+¦#¦#a¦a #b¦a#b¦!¦!!¦!x¦a!b¦!-1¦^a^b",
    r#"$¦$$¦$HOME¦${HOME}¦$(echo x)¦`echo x`¦$((1+1))¦$'a'¦$"a"¦<(echo)"#,
    r"*¦**¦a*¦*a¦?¦a?b¦???¦[ab]¦[!a]¦[^a]¦[¦]¦[]¦a[¦@(a|b)¦!(a)¦+(a)",
    r"{a,b}¦x{a,b}y¦{a,b}{c,d}¦{{a,b},c}¦{1..3}¦{¦}¦{}¦}{¦{a¦a}¦a,b¦,",
    r"%¦%self¦%1¦%%¦;¦;;¦a;b¦; echo x¦&¦&&¦a & b¦|¦||¦(¦)¦()¦(a)¦a(b)",
    r"<¦>¦>x¦2>&1¦>&2¦<<EOF¦<<A,>>A",
    r#"'¦''¦it's¦'a'¦"¦"a"¦a"b'c`d¦\\'¦\"¦\$HOME¦\*¦\{a,b\}"#,
    r"\¦\\¦\\\¦a\¦a\\¦\ ¦ \¦a\ b¦\n¦\t¦\0¦\x41¦\u0041¦\x61",
    "é¦ß ü¦日本語¦日 本¦😀¦👩‍👩‍👧¦e\u{301}¦\u{301}¦Ω≈ç√¦שלום¦－ｅ",
    "\u{a0}¦a\u{a0}b¦\u{200b}¦\u{2028}¦\u{2029}¦\u{3000}¦a\u{3000}b",
    "\u{feff}¦\u{fffd}¦\u{ffff}¦\u{fdd0}¦\u{fdef}¦\u{10ffff}",
    "\u{e000}¦\u{f5ff}¦\u{f600}¦x\u{f626} y¦\u{f6ff}¦\u{f700}",
    "‘a’¦“a”¦‚‛¦…",
    "test a = a && echo x; test a = b || echo x",
    "export A=b; setenv A b; set -gx A b; unset PATH",
];

/// About 500 of them.
pub fn nasty() -> Vec<String> {
    let mut all: Vec<String> = NASTY.iter().flat_map(|row| row.split('¦')).map(str::to_owned).collect();
    let marks: Vec<char> = (' '..='~').filter(|c| !c.is_ascii_alphanumeric()).collect();
    for c in &marks {
        all.extend([
            format!("{c}{c}"),
            format!("a{c}b"),
            format!(" {c} "),
            format!("{c}\\"),
            format!("\\{c}"),
        ]);
        all.extend([format!("é{c}"), format!("{c}a,b}}"), format!("{{a{c}b}}")]);
    }
    all.push(marks.iter().collect());
    all.push(marks.iter().rev().flat_map(|c| [*c, ' ']).collect());
    // Every byte that can continue a character in UTF-8: some shells use those for their own marks.
    all.extend((0xc0..=0xff).filter_map(char::from_u32).map(|c| format!("{c}")));
    all.push((0xa0..=0x17f).filter_map(char::from_u32).collect());
    all.push("long value ".repeat(500));
    all
}

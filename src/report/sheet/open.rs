//! What no program can know: the questions that the authors must answer themselves.

use super::{Answer, Row};

/// The network's parameters, where nobody counted them.
pub(super) const PARAMETERS: Row = prompt("parameters", "how many the network has", "ACL C1");

/// The prompts, in the order of the NeurIPS checklist.
pub(super) const PROMPTS: [Row; 15] = [
    prompt("claims", "what the paper claims, and whether this study is enough for it", "NeurIPS 1; ACL A3"),
    prompt(
        "limitations",
        "where the results may not hold: data, networks, numbers of labels",
        "NeurIPS 2; ACL A1",
    ),
    prompt(
        "theory",
        "assumptions and proofs, if the paper has any",
        "NeurIPS 3; Pineau: assumptions, proofs",
    ),
    prompt(
        "access",
        "where code, data, splits and weights can be had",
        "NeurIPS 5; Pineau: link to data, code, models",
    ),
    prompt(
        "hyper-parameter search",
        "what was tried for which arm, in which ranges and how often, and on which images and split it was judged; \
         whether the baselines were given as much",
        "NeurIPS 6; Pineau: hyper-parameters; ACL C2",
    ),
    prompt(
        "excluded data",
        "what was left out or changed before the lists were made, and why",
        "Pineau: exclusions, preprocessing",
    ),
    prompt(
        "all of the compute",
        "hours of failed and preliminary runs that are not in the store",
        "NeurIPS 8",
    ),
    prompt("ethics", "whether the work keeps to the venue's code of ethics", "NeurIPS 9"),
    prompt("societal impact", "what good and what harm may come of it, and to whom", "NeurIPS 10; ACL A2"),
    prompt("safeguards", "what keeps released models and data from misuse, if they need it", "NeurIPS 11"),
    prompt(
        "licences",
        "creators, licences and terms of data, pretrained weights and code, and whether this use is within them",
        "NeurIPS 12; ACL B1, B2, B3",
    ),
    prompt(
        "new assets",
        "documentation and terms of what is released",
        "NeurIPS 13; Pineau: new data; ACL B3, B5",
    ),
    prompt("people in the images", "whether persons can be recognised, and what was done about it", "ACL B4"),
    prompt(
        "annotators and consent",
        "instructions, recruitment, pay, consent and ethics review where people took part",
        "NeurIPS 14, 15; ACL D1, D2, D3, D4, D5",
    ),
    prompt("language models", "whether and for what they were used", "NeurIPS 16; ACL E1"),
];

const fn prompt(question: &'static str, prompt: &'static str, asked_by: &'static str) -> Row {
    Row { question, answer: Answer::Open(prompt), asked_by }
}

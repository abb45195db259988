//! What the generator is asked to write: small functions, each with a right solution and calls to try it with.
//!
//! What a call must result in is not written down: it is what the right solution really results in.

use super::script::{Case, NoProgram, Program};

/// A function to be written.
#[derive(Debug)]
pub(in crate::demo) struct Specification {
    pub(in crate::demo) name: &'static str,
    pub(in crate::demo) task: &'static str,
    pub(in crate::demo) solution: &'static str,
    pub(in crate::demo) calls: &'static [&'static str],
}

impl Specification {
    /// The calls, each with the solution's result.
    pub(in crate::demo) fn cases(&self) -> Result<Vec<Case>, NoProgram> {
        let solution = Program::compile(self.solution)?;
        let case = |&call: &&'static str| Case { call: call.to_owned(), expected: solution.call(call) };
        Ok(self.calls.iter().map(case).collect())
    }
}

pub(in crate::demo) const CATALOGUE: [Specification; 12] = [
    Specification {
        name: "clamp",
        task: "Keep a number between two bounds",
        solution: "fn clamp(x, low, high) {
    if x < low { return low; }
    if x > high { return high; }
    x
}",
        calls: &["clamp(5, 1, 3)", "clamp(-4, 1, 3)", "clamp(2, 1, 3)", "clamp(1, 1, 3)", "clamp(3, 1, 3)"],
    },
    Specification {
        name: "sum_to",
        task: "Add the whole numbers from 1 to n",
        solution: "fn sum_to(n) {
    let sum = 0;
    let i = 1;
    while i <= n {
        sum += i;
        i += 1;
    }
    sum
}",
        calls: &["sum_to(0)", "sum_to(1)", "sum_to(2)", "sum_to(5)", "sum_to(10)", "sum_to(-3)"],
    },
    Specification {
        name: "is_prime",
        task: "Tell whether a number is prime",
        solution: "fn is_prime(n) {
    if n < 2 { return false; }
    let d = 2;
    while d * d <= n {
        if n % d == 0 { return false; }
        d += 1;
    }
    true
}",
        calls: &[
            "is_prime(0)",
            "is_prime(1)",
            "is_prime(2)",
            "is_prime(3)",
            "is_prime(4)",
            "is_prime(9)",
            "is_prime(13)",
            "is_prime(25)",
            "is_prime(91)",
        ],
    },
    Specification {
        name: "fibonacci",
        task: "Give the n-th Fibonacci number",
        solution: "fn fibonacci(n) {
    let a = 0;
    let b = 1;
    for i in 0..n {
        let next = a + b;
        a = b;
        b = next;
    }
    a
}",
        calls: &["fibonacci(0)", "fibonacci(1)", "fibonacci(2)", "fibonacci(3)", "fibonacci(7)", "fibonacci(20)"],
    },
    Specification {
        name: "gcd",
        task: "Find the greatest common divisor",
        solution: "fn gcd(a, b) {
    while b != 0 {
        let rest = a % b;
        a = b;
        b = rest;
    }
    a
}",
        calls: &["gcd(12, 18)", "gcd(7, 13)", "gcd(9, 0)", "gcd(0, 4)", "gcd(81, 27)", "gcd(100, 75)"],
    },
    Specification {
        name: "largest",
        task: "Find the largest number of a list, or 0",
        solution: "fn largest(list) {
    if list.len() == 0 { return 0; }
    let best = list[0];
    for i in 1..list.len() {
        if list[i] > best { best = list[i]; }
    }
    best
}",
        calls: &[
            "largest([])",
            "largest([4])",
            "largest([3, 9, 2])",
            "largest([8, 1, 5])",
            "largest([2, 4, 6])",
            "largest([-7, -3, -5])",
        ],
    },
    Specification {
        name: "leap_year",
        task: "Tell whether a year is a leap year",
        solution: "fn leap_year(year) {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}",
        calls: &[
            "leap_year(2000)",
            "leap_year(1900)",
            "leap_year(2024)",
            "leap_year(2023)",
            "leap_year(2100)",
            "leap_year(1600)",
            "leap_year(2026)",
        ],
    },
    Specification {
        name: "find",
        task: "Find a number in a sorted list by halving it, or give -1",
        solution: "fn find(list, wanted) {
    let low = 0;
    let high = list.len() - 1;
    while low <= high {
        let middle = (low + high) / 2;
        if list[middle] == wanted { return middle; }
        if list[middle] < wanted { low = middle + 1; } else { high = middle - 1; }
    }
    -1
}",
        calls: &[
            "find([], 1)",
            "find([5], 5)",
            "find([1, 3, 5, 7], 7)",
            "find([1, 3, 5, 7], 1)",
            "find([1, 3, 5, 7, 9], 5)",
            "find([1, 3, 5, 7, 9], 4)",
            "find([1, 3, 5, 7, 9], 10)",
            "find([2, 4], 0)",
        ],
    },
    Specification {
        name: "sort",
        task: "Sort a list of numbers, lowest first",
        solution: "fn sort(list) {
    for i in 0..list.len() {
        for j in 0..list.len() - 1 - i {
            if list[j] > list[j + 1] {
                let kept = list[j];
                list[j] = list[j + 1];
                list[j + 1] = kept;
            }
        }
    }
    list
}",
        calls: &[
            "sort([])",
            "sort([1])",
            "sort([2, 1])",
            "sort([3, 1, 2])",
            "sort([5, 4, 3, 2, 1])",
            "sort([1, 1, 0])",
            "sort([1, 2, 3])",
        ],
    },
    Specification {
        name: "palindrome",
        task: "Tell whether a list reads the same from both ends",
        solution: "fn palindrome(list) {
    let left = 0;
    let right = list.len() - 1;
    while left < right {
        if list[left] != list[right] { return false; }
        left += 1;
        right -= 1;
    }
    true
}",
        calls: &[
            "palindrome([])",
            "palindrome([1])",
            "palindrome([1, 2])",
            "palindrome([2, 2])",
            "palindrome([1, 2, 1])",
            "palindrome([1, 2, 3, 1])",
            "palindrome([4, 5, 5, 4])",
        ],
    },
    Specification {
        name: "digits",
        task: "Add the digits of a number",
        solution: "fn digits(n) {
    if n < 0 { n = 0 - n; }
    let sum = 0;
    while n > 0 {
        sum += n % 10;
        n = n / 10;
    }
    sum
}",
        calls: &["digits(0)", "digits(7)", "digits(10)", "digits(99)", "digits(-123)", "digits(4321)"],
    },
    Specification {
        name: "power",
        task: "Raise a number to a power by squaring",
        solution: "fn power(base, exponent) {
    let result = 1;
    while exponent > 0 {
        if exponent % 2 == 1 { result *= base; }
        base *= base;
        exponent = exponent / 2;
    }
    result
}",
        calls: &["power(2, 0)", "power(2, 1)", "power(2, 10)", "power(3, 3)", "power(-2, 5)", "power(1, 9)"],
    },
];

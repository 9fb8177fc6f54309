//! The colours of a chart.

use crate::market::word_enum;

word_enum! {
    #[derive(Default)]
    pub enum Theme: "light or dark" {
        #[default]
        Light = "light",
        Dark = "dark",
    }
}

/// Text has a contrast ratio of at least 4.5 to the page (WCAG 2.2, 1.4.3).
#[derive(Debug)]
pub struct Colours {
    pub page: &'static str,
    pub text: &'static str,
    pub quiet: &'static str,
    pub grid: &'static str,
    pub line: &'static str,
    pub volume: &'static str,
    pub up: &'static str,
    pub down: &'static str,
}

impl Theme {
    pub const fn colours(self) -> Colours {
        match self {
            Self::Light => Colours {
                page: "#ffffff",
                text: "#1f2328",
                quiet: "#59636e",
                grid: "#e4e8ec",
                line: "#0969da",
                volume: "#afb8c1",
                up: "#1a7f37",
                down: "#cf222e",
            },
            Self::Dark => Colours {
                page: "#0d1117",
                text: "#f0f6fc",
                quiet: "#9198a1",
                grid: "#262c36",
                line: "#4493f8",
                volume: "#3d444d",
                up: "#3fb950",
                down: "#f85149",
            },
        }
    }
}

mod catalogue;
mod html;
mod letters;
mod views;
mod weight;

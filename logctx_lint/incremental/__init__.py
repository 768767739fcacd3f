"""What is kept between questions and between runs, and what it depends on."""
